// Every so many seconds.
#pragma once

#include "protocol/schedule/time_zone.hpp"

#include <chrono>

namespace umbel::schedule {

struct interval {
  std::chrono::microseconds every{0};
  /// Rounds due times down to the day, hour or minute of the wall clock if the
  /// interval is at least as long, and to the second otherwise: "every two hours"
  /// is on the hour.
  bool relative = false;
  time_zone zone; ///< for `relative`

  /// The first due time after `last_run`. Time that passes counts, whatever the
  /// clocks on the wall do.
  timestamp next(timestamp last_run) const;
};

} // namespace umbel::schedule
