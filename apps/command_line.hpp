// The umbrella command: `umbel [OPTIONS] COMMAND [ARGS]...`.
#pragma once

#include "apps/exit_status.hpp"

#include <string>
#include <vector>

namespace umbel {

/// Parses and runs. Blocks until the command has ended.
/// @param program what help and errors call this program: "umbel"
/// @param argv with the program's name, as it was called
/// @param only_worker the program is `worker`: there are no other commands
/// @returns the exit status
int run_command_line(const std::string& program, std::vector<std::string> argv,
                     bool only_worker);

} // namespace umbel
