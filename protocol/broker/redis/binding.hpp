// Bindings of named exchanges, as members of kombu's binding sets.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::redis {

/// The member that binds `queue` to the direct exchange of the same name, as
/// Celery's clients write it: `celery\x06\x16\x06\x16celery`.
std::string direct_binding(std::string_view queue, std::string_view sep);

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
