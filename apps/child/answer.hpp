// How a child that was started for one question answers: a line of JSON, written
// to the descriptor that it was given.
#pragma once

#include "protocol/message/json.hpp"
#include "protocol/task/registry.hpp"

#include <span>
#include <string>

namespace umbel {

/// @returns the exit status: 1 if nobody reads it
int answer(const json::value& x);

/// Loads the libraries that the question is about.
/// @returns the first error. One that ends the process has been answered before.
expected<void> load_to_answer(registry& to, std::span<const std::string> libraries);

inline json::object error_of(const std::string& what) {
  return {{"error", what}};
}

} // namespace umbel
