// What a client's calls throw, as text.
#pragma once

#include "protocol/task/exceptions.hpp"

#include <string>

namespace umbel::test {

/// The type of what `f` throws, or "nothing".
/// @param with_message behind the type come ": " and what it says
template <class F>
std::string thrown(F&& f, bool with_message = false) {
  try {
    f();
    return "nothing";
  } catch (const exception& e) {
    return with_message ? e.type() + ": " + e.what() : e.type();
  }
}

} // namespace umbel::test
