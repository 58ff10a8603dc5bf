// kombu's table of an exchange, <control_folder>/<exchange>.exchange: a JSON list of
// [routing key, pattern, queue] under flock (kombu 5.3 and later; before that each
// process had its own in memory, and a queue was known where it was declared).
#pragma once

#include "protocol/broker/queue_admin.hpp"
#include "protocol/error.hpp"
#include "protocol/names.hpp"

#include <set>
#include <string>
#include <vector>

namespace umbel::filesystem {

/// Adds what is not there.
expected<void> bind(const std::string& control, const std::string& exchange,
                    const std::string& key, const std::string& pattern,
                    const queue_name& queue);

/// Removes what is there.
expected<void> unbind(const std::string& control, const std::string& exchange,
                      const std::string& key, const std::string& pattern,
                      const queue_name& queue);

/// A topic's key as kombu's regular expression: "worker.#" is "^worker\..*?$".
std::string pattern_of(const std::string& key);

/// Removes whatever leads to this queue.
expected<void> unbind_all(const std::string& control,
                          const std::string& exchange, const queue_name& queue);

/// The queues that a message goes to.
/// @param fanout the exchange serves all that are bound without a pattern
/// @returns `malformed` for a table that is none
expected<std::set<queue_name>> route(const std::string& control,
                                     const std::string& exchange,
                                     const std::string& routing_key,
                                     bool fanout);

/// All bindings, by exchange.
expected<binding_list> list_bindings(const std::string& url,
                                     const broker_options& options);

} // namespace umbel::filesystem
