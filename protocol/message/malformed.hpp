// What decoders say of bytes that are not what they should be.
#pragma once

#include "protocol/error.hpp"

#include <string>
#include <utility>

namespace umbel {

/// @param what what is wrong, and where
inline error malformed(std::string what) {
  return {errc::malformed, std::move(what)};
}

} // namespace umbel
