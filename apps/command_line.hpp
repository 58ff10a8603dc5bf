// The umbrella command: `umbel [OPTIONS] COMMAND [ARGS]...`.
#pragma once

#include <string>
#include <vector>

namespace umbel {

/// Exit statuses, as Celery's.
enum exit_status : int {
  exit_ok = 0,
  exit_failure = 1, ///< it was right, and did not work
  exit_usage = 2,   ///< options, environment or settings are wrong
};

/// Parses and runs. Blocks until the command has ended.
/// @param program what help and errors call this program: "umbel"
/// @param args without the program's name
/// @param only_worker the program is `worker`: there are no other commands
/// @returns the exit status
int run_command_line(const std::string& program, std::vector<std::string> args,
                     bool only_worker);

} // namespace umbel
