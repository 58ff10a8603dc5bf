// How often tasks may begin: Celery's rate limits, "10/s", "100/m", "1000/h".
#pragma once

#include "protocol/error.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace umbel {

/// A rate, as the time between two beginnings. There are no bursts, as with the
/// token buckets of Celery's workers, which hold one token.
struct rate {
  std::chrono::microseconds interval{0}; ///< zero: no limit

  bool limits() const noexcept {
    return interval.count() > 0;
  }

  friend bool operator==(const rate&, const rate&) = default;
};

/// Reads a rate in Celery's grammar: a number of 0 or more, and `/s`, `/m` or `/h`;
/// without one of these it is a number per second. Zero and the empty text are no
/// limit. Rates above a million per second and below one in a century are taken for
/// mistakes.
/// @returns `invalid_setting` with what the text is not
expected<rate> parse_rate(std::string_view text);

/// The rate in that grammar, in the smallest unit in which it is a whole number, or
/// else by the hour; "0" is no limit.
std::string to_string(const rate& x);

} // namespace umbel
