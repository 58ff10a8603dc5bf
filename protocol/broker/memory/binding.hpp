// How a named exchange finds its queues.
#pragma once

#include "protocol/names.hpp"

#include <string>
#include <string_view>

namespace umbel {

/// One queue bound to an exchange.
struct binding {
  std::string key;    ///< a routing key, or a pattern in a topic exchange
  bool topic = false; ///< whether `key` is a pattern
  queue_name queue;

  friend bool operator==(const binding&, const binding&) = default;

  bool matches(std::string_view routing_key) const;
};

/// Topic patterns as kombu's virtual transports read them: words are joined by
/// dots, `*` is any text that is not empty and does not end in a dot, `#` is
/// any text. AMQP's own reading, by words, is stricter.
bool topic_matches(std::string_view pattern, std::string_view routing_key);

/// The regular expression that kombu keeps beside a topic's pattern.
std::string topic_regex(std::string_view pattern);

} // namespace umbel
