// `umbel worker`: from its options to a process that runs a worker.
//
//  1. decides everything from options, environment and settings, so that every
//     mistake is told before anything has happened;
//  2. asks before --purge, detaches, changes user, opens the log, takes the
//     pidfile: in this order;
//  3. runs the worker.
#pragma once

#include "apps/options.hpp"

#include <string>
#include <vector>

namespace umbel {

/// Blocks until the worker has ended.
/// @param name what messages call this command: "umbel worker"
/// @param argv how the program was called, to execute it again
/// @returns the exit status
int run_worker_command(const std::string& name,
                       const std::vector<std::string>& argv,
                       const options& given);

} // namespace umbel
