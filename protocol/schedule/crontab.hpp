// A crontab: tasks at given minutes, hours and days of a time zone.
//
// Every field has to match, the days of the month and those of the week alike, as
// in Celery and other than in cron(5).
//
// Where the clocks change there are two kinds of crontabs:
// * Those whose hour field has every hour count hours as they pass: "*/5 * * * *" is
//   every five minutes, in the hour that comes twice and over the one that is skipped.
// * All others name times of the day, each of which comes once a day: one that is
//   skipped is due when the clocks change, one that comes twice is due the first time.
#pragma once

#include "protocol/schedule/crontab_field.hpp"
#include "protocol/schedule/time_zone.hpp"

#include <string_view>

namespace umbel::schedule {

class crontab {
public:
  /// @param x either "minute hour day_of_month month_of_year day_of_week", as
  ///          `crontab.from_string`, or an object with some of these members and
  ///          perhaps `timezone`
  /// @param zone unless there is a `timezone`
  /// @returns `invalid_setting` with what is wrong, also for a day that never comes
  static expected<crontab> parse(const json::value& x, const time_zone& zone);

  /// The first due time after the minute of `last_run`.
  timestamp next(timestamp last_run) const;

  const time_zone& zone() const noexcept {
    return zone_;
  }

private:
  crontab() = default;

  expected<void> check() const;

  bool matches(std::chrono::year_month_day day) const;

  /// The first minute that matches, not before `start`.
  wall_time first_match(wall_time start) const;

  bool every_hour() const {
    return hours_.size() == 24;
  }

  number_set minutes_;
  number_set hours_;
  number_set weekdays_;
  number_set days_;
  number_set months_;
  time_zone zone_;
};

} // namespace umbel::schedule
