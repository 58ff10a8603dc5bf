// When a periodic task is due: an interval, a crontab or the sun, with Celery's answers.
#pragma once

#include "protocol/message/json.hpp"
#include "protocol/schedule/crontab.hpp"
#include "protocol/schedule/interval.hpp"
#include "protocol/schedule/solar.hpp"

#include <chrono>
#include <optional>
#include <variant>

namespace umbel::schedule {

using any_schedule = std::variant<interval, crontab, solar>;

/// Celery's `schedstate`.
struct due_state {
  bool due = false;
  /// Until the next look: until the due time, or if it is due until the one after.
  std::chrono::microseconds next{0};
};

/// Reads the `schedule` of an entry:
/// * a number: seconds;
/// * {"crontab": "0 4 * * *"} or {"crontab": {"minute": 0, "hour": "4", ...}};
/// * {"solar": ["sunset", latitude, longitude]}.
/// @param relative the entry's `relative`, for intervals
/// @returns `invalid_setting` with what is wrong
expected<any_schedule> parse_schedule(const json::value& x, bool relative,
                                      const time_zone& zone);

/// The first due time after `last_run`.
timestamp next(const any_schedule& x, timestamp last_run);

/// How long until the due time that follows `last_run`; negative if it is over.
std::chrono::microseconds remaining_estimate(const any_schedule& x,
                                             timestamp last_run, timestamp now);

/// @param deadline `beat_cron_starting_deadline`: a crontab that was due longer ago
///                 is not due any more
due_state is_due(const any_schedule& x, timestamp last_run, timestamp now,
                 std::optional<std::chrono::microseconds> deadline = {});

} // namespace umbel::schedule
