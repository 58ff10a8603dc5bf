// `child --command LIBRARY... -- [NODE PID NAME ARGUMENTS]`: the commands of remote
// control that task libraries bring along.
//
// Loads them, runs the command with its arguments, a JSON object, and writes one
// line of JSON to descriptor 3:
//
//   {"answer": what it returned} or {"error": text}
//
// or, if there is no such command or none is given, all that there are:
//
//   {"commands": [{"name", "type", "alias", "help", "signature", "parameters"}]}
//
// Each command has a process of its own, so whatever it does, the worker lives.
#pragma once

#include <string>
#include <vector>

namespace umbel {

inline constexpr const char* command_argument = "--command";

/// @param args what stands after `--command`
/// @returns the exit status
int answer_command(const std::vector<std::string>& args);

} // namespace umbel
