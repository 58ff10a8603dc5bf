// Commands of remote control that the task libraries of -A bring along, for
// `umbel inspect` and `umbel control`.
#pragma once

#include "apps/options.hpp"
#include "protocol/control/command_table.hpp"

#include <string>
#include <vector>

namespace umbel {

/// Asks the libraries, in a process of its own, and makes the message's arguments of
/// what was said: values in the order of the parameters, or NAME=VALUE. Values are
/// JSON; what is none is text.
/// @param words the command's name first
/// @returns `not_found` if the libraries have no such command, `invalid_setting` with
///          what is wrong
expected<json::object>
read_library_arguments(const options& given, command_kind kind,
                       const std::vector<std::string>& words);

} // namespace umbel
