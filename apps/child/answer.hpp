// How a child that was started for one question answers: a line of JSON, written
// to the descriptor that it was given.
#pragma once

#include "protocol/message/json.hpp"

#include <string>

namespace umbel {

/// @returns the exit status: 1 if nobody reads it
int answer(const json::value& x);

inline json::object error_of(const std::string& what) {
  return {{"error", what}};
}

} // namespace umbel
