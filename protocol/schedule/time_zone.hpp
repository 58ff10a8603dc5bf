// IANA time zones, read from the system's tzdata.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/time.hpp"

#include <chrono>
#include <string>

namespace umbel::schedule {

/// What a clock on a wall shows.
using wall_time = std::chrono::local_time<std::chrono::microseconds>;

/// A time during which the offset to UTC does not change.
struct zone_period {
  timestamp begin;             ///< included
  timestamp end;               ///< excluded
  std::chrono::seconds offset; ///< wall time minus UTC
};

/// A value: copies are cheap, and may be used by any thread.
class time_zone {
public:
  /// UTC.
  time_zone() = default;

  /// @param name "Europe/Berlin"; "" and "UTC" are UTC
  /// @returns `invalid_setting` for a name that tzdata does not have
  static expected<time_zone> find(const std::string& name);

  /// "UTC", "Europe/Berlin".
  std::string name() const;

  /// The period that holds `t`.
  zone_period period(timestamp t) const;

  wall_time to_wall(timestamp t) const {
    return wall_time{(t + period(t).offset).time_since_epoch()};
  }

  /// When a clock shows `x`: the first time if it does so twice; if it never does,
  /// the instant of the change that skips it.
  timestamp first_time(wall_time x) const;

private:
  const void* zone_ = nullptr; // lives as long as the process; null: UTC
};

} // namespace umbel::schedule
