#include "protocol/schedule/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace umbel::schedule {

namespace {

using std::chrono::microseconds;

/// Shorter ones would be due at once again, longer ones never.
constexpr double interval_min = 0.001;
constexpr double interval_max = 100 * 365.25 * 86'400;

} // namespace

expected<any_schedule> parse_schedule(const json::value& x, bool relative,
                                      const time_zone& zone) {
  if (x.is_number()) {
    auto seconds = x.to_number<double>();
    if (!(seconds >= interval_min && seconds <= interval_max))
      return error{errc::invalid_setting,
                   "schedule " + to_json(x)
                     + ": an interval lasts from 0.001 seconds to a century"};
    return any_schedule{
      interval{std::chrono::round<microseconds>(
                 std::chrono::duration<double>{seconds}),
               relative, zone}};
  }
  if (x.is_object() && x.get_object().size() == 1) {
    auto& [kind, value] = *x.get_object().begin();
    if (kind == "crontab") {
      auto result = crontab::parse(value, zone);
      if (!result)
        return result.error();
      return any_schedule{std::move(*result)};
    }
    if (kind == "solar") {
      auto result = solar::parse(value);
      if (!result)
        return result.error();
      return any_schedule{std::move(*result)};
    }
  }
  return error{errc::invalid_setting,
               "schedule: expected a number of seconds, {\"crontab\": \"0 4 * * *\"} "
               "or {\"solar\": [\"sunset\", 52.5, 13.4]}"};
}

timestamp next(const any_schedule& x, timestamp last_run) {
  return std::visit([&](auto& y) { return y.next(last_run); }, x);
}

microseconds remaining_estimate(const any_schedule& x, timestamp last_run,
                                timestamp now) {
  return next(x, last_run) - now;
}

due_state is_due(const any_schedule& x, timestamp last_run, timestamp now,
                 std::optional<microseconds> deadline) {
  auto due = next(x, last_run);
  if (due > now)
    return {false, due - now};
  // The last of the due times counts, and there may have been many.
  if (deadline && std::holds_alternative<crontab>(x))
    due = next(x, std::max(last_run, now - *deadline - std::chrono::minutes{1}));
  while (deadline && due < now - *deadline && std::holds_alternative<crontab>(x))
    due = next(x, due);
  return {due <= now, next(x, now) - now};
}

} // namespace umbel::schedule
