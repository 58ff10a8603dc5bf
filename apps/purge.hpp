// `umbel purge`, and `worker --purge` before it starts: deletes what waits in queues.
//
// Celery's worker deletes without a word; `celery purge` asks. Here it is the
// careful way for both: on a terminal it says how many messages of which queue
// it would delete and asks; without a terminal it takes --force.
#pragma once

#include "actors/worker_config.hpp"

#include <string>

namespace umbel {

/// Asks on the terminal whether to delete what waits in the worker's queues.
/// Does not ask if nothing waits.
/// @param name what deletes: "umbel worker: --purge"
/// @returns whether to go on; `unavailable` and others when the broker cannot
///          be asked
expected<bool> confirm_purge(const worker_config& config,
                             const std::string& name);

/// Deletes it. @returns what was done: "deleted 12 messages (celery: 12)"
expected<std::string> purge(const worker_config& config);

} // namespace umbel
