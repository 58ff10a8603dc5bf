// The version of the programs, from the build.
#pragma once

namespace umbel {

constexpr const char* version = UMBEL_VERSION;

} // namespace umbel
