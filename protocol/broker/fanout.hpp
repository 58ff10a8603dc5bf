// Which exchanges are fanout ones, and which lead to mailboxes.
#pragma once

#include <string>
#include <string_view>

namespace umbel {

/// Celery's exchange of events: a topic where there are topics.
inline constexpr std::string_view exchange_of_events = "celeryev";

/// Nothing on a broker without exchanges of its own says what type an exchange
/// has: these are Celery's, of events and of commands to workers.
inline bool is_fanout(std::string_view exchange) {
  return exchange == exchange_of_events
         || (exchange.ends_with(".pidbox") && !exchange.starts_with("reply."));
}

/// Celery's exchange of answers to commands: each goes to whoever waits with its
/// routing key.
inline bool leads_to_mailboxes(std::string_view exchange) {
  return exchange.ends_with(".pidbox") && exchange.starts_with("reply.");
}

/// A mailbox as a fanout exchange of its own, for brokers that are Umbel's alone.
inline std::string mailbox_name(std::string_view exchange,
                                std::string_view routing_key) {
  return std::string{exchange}.append("/").append(routing_key);
}

} // namespace umbel
