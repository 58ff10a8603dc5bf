// Times as they stand in messages and results: ISO 8601 (contract section 1.4).
#pragma once

#include "protocol/error.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace umbel {

/// Wall-clock time in UTC with the microseconds that Python's datetime has.
using timestamp = std::chrono::sys_time<std::chrono::microseconds>;

timestamp now();

/// What dateutil's isoparse takes (but for week dates and ordinal dates): basic
/// and extended format, `Z` and offsets, any digits of a fraction; without an
/// offset it is UTC. @returns `malformed` naming the text.
expected<timestamp> parse_time(std::string_view text);

/// `2026-11-23T11:45:16.169118+00:00`, microseconds left out when zero, as
/// Python's `isoformat` does. Beyond the years 1 to 9999, which are all that
/// Python knows, the nearest time within them.
std::string format_time(timestamp t);

} // namespace umbel
