// `umbel call`: sends one task, and waits for its result if asked to.
#pragma once

#include "apps/call_options.hpp"
#include "apps/options.hpp"

#include <string>

namespace umbel {

/// @param name "umbel call", put before what goes wrong
/// @returns 0: sent, or ended well; 1: the task failed; 2: options or settings are
///          wrong; 69: broker or result store cannot be reached; 75: the time to
///          wait is over
int run_call_command(const std::string& name, const options& given,
                     const call_options& call);

} // namespace umbel
