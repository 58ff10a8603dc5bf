// `umbel status`, `umbel inspect` and `umbel control`: ask and steer workers.
#pragma once

#include "apps/options.hpp"
#include "apps/remote/remote_options.hpp"

#include <string>
#include <vector>

namespace umbel {

/// Who is there.
/// @param name what errors call this program: "umbel status"
/// @returns the exit status: 69 if nobody answers
int run_status_command(const std::string& name, const options& given,
                       const remote_options& x);

/// @param words the command and its arguments
/// @returns the exit status: 69 if nobody answers, 1 if somebody refuses
int run_control_command(const std::string& name, const options& given,
                        const remote_options& x, command_kind kind,
                        const std::vector<std::string>& words);

} // namespace umbel
