// Bindings of named exchanges, as members of kombu's binding sets.
#pragma once

#include "protocol/broker/broker.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::redis {

/// The members that bind a queue, as Celery's clients write them:
/// `celery\x06\x16\x06\x16celery`. Two for a fanout exchange: producers that have not
/// declared it take it for a direct one, and send with no routing key, or with
/// their default.
std::vector<std::string> binding_members(const broker_options::binding& x,
                                         std::string_view queue,
                                         std::string_view sep);

/// Whether a topic's `pattern` ("orders.*", "logs.#") takes `routing_key`, by
/// kombu's reading: `*` is any text that is not empty and does not end in a
/// dot, `#` is any text. AMQP's own reading, by words, is stricter.
bool topic_matches(std::string_view pattern, std::string_view routing_key);

/// The queues that get a message, each once. `members` are those of the
/// exchange's binding set: `routing_key SEP pattern SEP queue`, where a pattern
/// means a topic exchange; broken ones are passed over.
std::vector<std::string> route(std::span<const std::string_view> members,
                               std::string_view sep,
                               std::string_view routing_key);

} // namespace umbel::redis
