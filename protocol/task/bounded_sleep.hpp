// How long a task may ask to sleep.
#pragma once

#include <algorithm>
#include <chrono>

namespace umbel {

/// The same time, but neither negative nor so long that it does not fit behind
/// a clock's present value: at most about 30 years.
template <class Rep, class Period>
std::chrono::steady_clock::duration
bounded_sleep(std::chrono::duration<Rep, Period> time) {
  using namespace std::chrono;
  constexpr duration<double> longest = hours{24 * 365 * 30};
  return duration_cast<steady_clock::duration>(
      std::clamp<duration<double>>(time, duration<double>::zero(), longest));
}

} // namespace umbel
