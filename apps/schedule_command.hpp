// `umbel beat list|add|remove|enable|disable|run-now|next`: operators look at a
// schedule and change it, while beats run or not.
#pragma once

#include <string>
#include <vector>

namespace umbel {

/// Whether a command line is one of these: "beat" with one of the words right after it.
/// @param args without the program's name
bool is_schedule_command(const std::vector<std::string>& args);

/// @param program how the program calls itself
/// @param args without the program's name; options may stand before "beat"
/// @returns the exit status
int run_schedule_command(const std::string& program,
                         std::vector<std::string> args);

} // namespace umbel
