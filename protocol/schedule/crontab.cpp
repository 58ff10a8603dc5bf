#include "protocol/schedule/crontab.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace umbel::schedule {

namespace {

using namespace std::chrono;

/// Leap days may be eight years apart, and then on other days of the week: each
/// combination that exists at all comes within forty years.
constexpr years farthest{41};

constexpr const field_kind* kinds[] = {&minutes_field, &hours_field,
                                       &days_field, &months_field,
                                       &weekdays_field};

/// "a b c d e" as the object that says the same.
expected<json::object> split(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t end = 0;;) {
    auto begin = text.find_first_not_of(" \t", end);
    if (begin == text.npos)
      break;
    end = std::min(text.find_first_of(" \t", begin), text.size());
    words.push_back(text.substr(begin, end - begin));
  }
  if (words.size() != std::size(kinds))
    return error{errc::invalid_setting,
                 fmt::format("crontab '{}': expected five fields, minute hour "
                             "day_of_month month_of_year day_of_week",
                             text)};
  json::object result;
  for (size_t i = 0; i < words.size(); ++i)
    result[kinds[i]->name] = words[i];
  return result;
}

} // namespace

expected<crontab> crontab::parse(const json::value& x, const time_zone& zone) {
  json::object fields;
  if (x.is_string()) {
    auto words = split(x.get_string());
    if (!words)
      return words.error();
    fields = std::move(*words);
  } else if (x.is_object()) {
    fields = x.get_object();
  } else {
    return error{errc::invalid_setting,
                 "crontab: expected a text such as '0 4 * * mon-fri' or an "
                 "object with minute, hour, ..."};
  }
  crontab result;
  result.zone_ = zone;
  if (auto name = fields.if_contains("timezone")) {
    if (!name->is_string())
      return error{errc::invalid_setting, "crontab timezone: expected a name"};
    auto own = time_zone::find(std::string{name->get_string()});
    if (!own)
      return own.error();
    result.zone_ = *own;
    fields.erase("timezone");
  }
  std::pair<const field_kind*, number_set*> targets[]
    = {{&minutes_field, &result.minutes_},
       {&hours_field, &result.hours_},
       {&weekdays_field, &result.weekdays_},
       {&days_field, &result.days_},
       {&months_field, &result.months_}};
  for (auto [kind, target] : targets) {
    auto given = fields.if_contains(kind->name);
    auto set = given ? parse_field(*kind, *given)
                     : parse_field(*kind, std::string_view{"*"});
    if (!set)
      return set.error();
    *target = *set;
    fields.erase(kind->name);
  }
  if (!fields.empty())
    return error{errc::invalid_setting,
                 fmt::format("crontab has no field '{}'; there are minute, hour, "
                             "day_of_week, day_of_month, month_of_year, "
                             "timezone",
                             std::string_view{fields.begin()->key()})};
  if (auto done = result.check(); !done)
    return done.error();
  return result;
}

expected<void> crontab::check() const {
  for (auto m = months_.from(1); m > 0; m = months_.from(m + 1)) {
    // A leap year: its months are the longest.
    auto last = year_month_day_last{
      year{2000}, month_day_last{month{static_cast<unsigned>(m)}}};
    if (auto day = days_.from(1);
        day <= static_cast<int>(static_cast<unsigned>(last.day())))
      return {};
  }
  return error{errc::invalid_setting,
               "crontab: none of its months has one of its days of the month"};
}

bool crontab::matches(year_month_day day) const {
  return days_.has(static_cast<int>(static_cast<unsigned>(day.day())))
         && months_.has(static_cast<int>(static_cast<unsigned>(day.month())))
         && weekdays_.has(
           static_cast<int>(weekday{local_days{day}}.c_encoding()));
}

wall_time crontab::first_match(wall_time start) const {
  auto minute_of = ceil<minutes>(start);
  auto day = floor<days>(minute_of);
  auto since = minute_of - day;
  int hour = static_cast<int>(since / hours{1});
  int minute = static_cast<int>(since % hours{1} / minutes{1});
  auto limit = day + days{farthest.count() * 366};
  for (; day < limit;) {
    year_month_day date{day};
    if (!months_.has(static_cast<int>(static_cast<unsigned>(date.month())))) {
      day = local_days{(date.year() / date.month() + months{1}) / 1};
      hour = minute = 0;
      continue;
    }
    if (matches(date)) {
      auto h = hours_.from(hour);
      auto m = h == hour ? minutes_.from(minute) : minutes_.from(0);
      if (h == hour && m < 0) {
        h = hours_.from(hour + 1);
        m = minutes_.from(0);
      }
      if (h >= 0)
        return wall_time{(day + hours{h} + minutes{m}).time_since_epoch()};
    }
    day += days{1};
    hour = minute = 0;
  }
  return wall_time{limit.time_since_epoch()};
}

timestamp crontab::next(timestamp last_run) const {
  auto period = zone_.period(last_run);
  auto wall = [](timestamp t, seconds offset) {
    return wall_time{(t + offset).time_since_epoch()};
  };
  auto start = wall_time{floor<minutes>(wall(last_run, period.offset)) + minutes{1}};
  if (!every_hour()) {
    // What an hour shows that comes twice was due the first time.
    auto before = zone_.period(period.begin - microseconds{1}).offset;
    start = std::max(start, wall(period.begin, before));
  }
  auto match = first_match(start);
  for (;;) {
    timestamp due{match.time_since_epoch() - period.offset};
    if (due < period.end)
      return due;
    auto change = period.end;
    auto after = zone_.period(change);
    auto forward = after.offset > period.offset;
    auto shows = wall(change, after.offset);
    if (forward && match < shows) {
      if (!every_hour())
        return change; // skipped
      match = first_match(shows);
    } else if (!forward && every_hour()) {
      match = first_match(shows); // again
    }
    period = after;
  }
}

} // namespace umbel::schedule
