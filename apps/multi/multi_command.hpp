// `umbel multi`: starts, stops and shows several workers, as `celery multi`.
#pragma once

#include <string>
#include <vector>

namespace umbel {

/// Whether a command line is one for `umbel multi`: its first word that is
/// neither an option nor an option's value.
/// @param args without the program's name
bool is_multi_command(const std::vector<std::string>& args);

/// @param argv0 how the program was called, to start workers with it
/// @param args without the program's name; what stands before "multi" is
///             understood as if it stood at the end
/// @returns the exit status: 0; 1 if a node could not be started, or for a
///          command that is not there
int run_multi_command(const std::string& argv0, std::vector<std::string> args);

} // namespace umbel
