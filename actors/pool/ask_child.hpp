// A question to the task libraries, which no worker and no beat loads: a child is
// started for it, answers with one line of JSON, and ends.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace umbel {

/// Starts the program and waits for its answer. Blocks.
/// @param argv     the program's path first
/// @param patience then it is killed
/// @returns `unavailable` with how it ended, if it has not answered: "no answer
///          within 10 s", "it ended by signal 11 (SIGSEGV)"
expected<json::object> ask_child(const std::vector<std::string>& argv,
                                 std::chrono::milliseconds patience,
                                 size_t answer_max);

} // namespace umbel
