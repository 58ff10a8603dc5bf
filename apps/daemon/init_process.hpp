// A worker as the first process of a container.
//
// Process 1 inherits every orphan and must collect it, but only a child's own
// supervisor may collect a worker's child. So process 1 does nothing else: it
// runs the worker as its child, passes signals on, collects whatever ends, and
// ends with the worker, with its status.
#pragma once

#include <optional>
#include <string>

namespace umbel {

/// If this is process 1: returns nothing in a child, which goes on as the
/// program, and the exit status in process 1 when that child has ended. In any
/// other process: returns nothing. Call it before any thread is started.
/// @param name for messages
std::optional<int> run_as_init(const std::string& name);

} // namespace umbel
