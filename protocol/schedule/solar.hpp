// Where the sun stands: sunrise, sunset, noon, and three kinds of dawn and dusk, at a
// place on earth.
//
// The sun's position is Meeus's ("Astronomical Algorithms", 2nd ed., chapter 25, to
// 0.01 degrees), taken at the very instant of the event. Between two passages of the
// meridian its altitude only rises or only falls, so an event is found, or there is
// none in that half of a day: in a polar night the next sunrise is months away, and is
// found as quickly.
//
// (On the last miles before a pole that is the sun's way through the year, and once
// a year there is a sunrise.)
//
// Sunrise and sunset are those of the upper edge, with a refraction of 34 minutes of
// arc, at sea level; dawn and dusk those of the center, as with Celery.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"

#include <optional>

namespace umbel::schedule {

class solar {
public:
  /// @param x ["sunset", latitude, longitude], or an object with the members event,
  ///          lat and lon; degrees, north and east positive
  /// @returns `invalid_setting` with what is wrong, also for an event that never takes
  ///          place there
  static expected<solar> parse(const json::value& x);

  /// The first time after `last_run`, to the second.
  timestamp next(timestamp last_run) const;

private:
  struct kind;

  solar(const kind& what, double latitude, double longitude)
      : what_(&what), latitude_(latitude), longitude_(longitude) {
  }

  /// In degrees above the horizon that counts.
  double height(double day) const;

  /// The passage of the meridian next to `day`.
  double noon(double day) const;

  std::optional<double> between(double begin, double end) const;

  static const kind kinds[];

  const kind* what_;
  double latitude_;
  double longitude_;
};

} // namespace umbel::schedule
