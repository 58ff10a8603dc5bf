// The child program as a fork server: makes children for a worker.
//
//  1. looks at what the task libraries did when they were loaded: who starts a
//     thread or opens a file then, cannot be forked;
//  2. forks a child at each request. The child is the worker's, not this
//     process's, and goes on in `serve_forks` as if it had been started alone.
//
// It has one thread and touches as little memory as it can: what it writes to
// after a fork is copied.
#pragma once

#include "protocol/child/frames.hpp"
#include "protocol/error.hpp"

#include <functional>
#include <string>
#include <vector>

namespace umbel {

/// What a process has that a fork cannot take along, or only wrongly.
struct process_census {
  size_t threads = 0;
  std::vector<std::string> files; ///< numbers of descriptors

  static process_census take();
};

/// Why a process that was like `before` cannot be forked any more; empty if it
/// can.
std::string obstacle_to_fork(const process_census& before);

/// Waits for the frame that says what to load. Leaves if the worker is gone.
expected<frame::configure> receive_fork_configuration();

/// Forks until the worker is gone, or says that it ends; does not return then.
/// @param on_farewell called if it has said so
/// @param program_arguments of this process, changed to look like a child's
/// @returns in each child, with its socket in the place of the line: whether its
///          hello can be brief
bool serve_forks(char** program_arguments,
                 const std::function<void()>& on_farewell);

} // namespace umbel
