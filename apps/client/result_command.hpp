// `umbel result`: a task's state and result; `umbel report`.
#pragma once

#include "apps/options.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace umbel::client {

/// Prints the result of a task as JSON, or says that there is none yet.
/// @param wait for its end, no longer than `timeout`
int show_result(const std::string& name, const options& given,
                const std::string& id, bool traceback, bool wait,
                std::optional<std::chrono::milliseconds> timeout);

/// Prints what a bug report should say: versions, system, and the settings that
/// are not as their defaults, without passwords.
int report(const std::string& name, const options& given);

} // namespace umbel::client
