// Which exchanges are fanout ones, and which lead to mailboxes.
#pragma once

#include "protocol/broker/broker.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace umbel {

/// Nothing on a broker without exchanges of its own says what type an exchange
/// has: these are Celery's, of events (a topic where there are topics) and of
/// commands to workers.
inline bool is_fanout(const broker_options& x, std::string_view exchange) {
  return exchange == x.event_exchange
         || (exchange.ends_with(".pidbox") && !exchange.starts_with("reply."));
}

/// Brokers that have no routing keys in fanout exchanges, and are Umbel's alone:
/// what workers say of themselves has an exchange of its own there, so that nodes
/// who listen to each other are not woken by each task.
inline std::string fanout_name(const broker_options& x,
                               std::string_view exchange,
                               std::string_view routing_key) {
  std::string result{exchange};
  if (exchange == x.event_exchange && routing_key.starts_with("worker."))
    result += "/worker";
  return result;
}

/// The exchanges (`fanout_name`) that a listener needs for a pattern of keys.
inline std::vector<std::string> fanout_names(const broker_options& x,
                                             std::string_view exchange,
                                             std::string_view pattern) {
  if (exchange != x.event_exchange)
    return {std::string{exchange}};
  auto of_workers = fanout_name(x, exchange, "worker.");
  if (pattern.starts_with("worker."))
    return {std::move(of_workers)};
  return {std::string{exchange}, std::move(of_workers)};
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

/// The same for the mailbox's name as a queue, "<key>.reply.celery.pidbox", which is
/// what a message's `reply_to` says. Empty: it is another queue.
inline std::string mailbox_of_queue(std::string_view queue) {
  auto dot = queue.find(".reply.");
  if (dot == queue.npos || !leads_to_mailboxes(queue.substr(dot + 1)))
    return {};
  return mailbox_name(queue.substr(dot + 1), queue.substr(0, dot));
}

} // namespace umbel
