#include "protocol/message/time.hpp"

#include "protocol/message/json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace umbel {

namespace {

using namespace std::chrono;

error not_a_time(std::string_view text, std::string_view why) {
  return {errc::malformed,
          fmt::format("{} is not an ISO 8601 time: {}",
                      python_repr(json::string{text}, 64), why)};
}

/// Reads a text from its front.
class scanner {
public:
  explicit scanner(std::string_view text) : rest_(text) {
  }

  bool at_end() const {
    return rest_.empty();
  }

  bool at_digit() const {
    return !rest_.empty() && is_digit(rest_[0]);
  }

  bool skip(char c) {
    if (rest_.empty() || rest_[0] != c)
      return false;
    rest_.remove_prefix(1);
    return true;
  }

  void skip_any() {
    rest_.remove_prefix(1);
  }

  /// Exactly `count` digits, at most `max`; -1 when they are not there.
  int number(size_t count, int max = 9999) {
    if (rest_.size() < count)
      return -1;
    int x = 0;
    for (size_t i = 0; i < count; ++i) {
      if (!is_digit(rest_[i]))
        return -1;
      x = x * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return x <= max ? x : -1;
  }

  /// Any number of digits as a fraction of a second, cut to microseconds; -1
  /// when there is none.
  int fraction() {
    if (!at_digit())
      return -1;
    int x = 0;
    for (int i = 0; i < 6; ++i)
      x = x * 10 + (at_digit() ? number(1) : 0);
    while (at_digit())
      skip_any();
    return x;
  }

private:
  static bool is_digit(char c) {
    return c >= '0' && c <= '9';
  }

  std::string_view rest_;
};

/// YYYY, YYYY-MM, YYYY-MM-DD or YYYYMMDD.
bool read_date(scanner& in, sys_days& out) {
  auto y = in.number(4);
  int m = 1;
  int d = 1;
  if (in.skip('-')) {
    m = in.number(2);
    if (in.skip('-'))
      d = in.number(2);
  } else if (in.at_digit()) {
    m = in.number(2);
    d = in.number(2);
  }
  if (y < 1 || m < 1 || d < 1)
    return false;
  auto date = year{y} / m / d;
  if (!date.ok())
    return false;
  out = date;
  return true;
}

/// HH, HH:MM, HHMM, HH:MM:SS, HHMMSS, the last two with a fraction.
bool read_clock(scanner& in, microseconds& out) {
  auto h = in.number(2, 24);
  int m = 0;
  int s = 0;
  int us = 0;
  if (bool extended = in.skip(':'); extended || in.at_digit()) {
    m = in.number(2, 59);
    if (extended ? in.skip(':') : in.at_digit()) {
      s = in.number(2, 59);
      if (in.skip('.') || in.skip(','))
        us = in.fraction();
    }
  }
  if (h < 0 || m < 0 || s < 0 || us < 0)
    return false;
  if (h == 24 && (m != 0 || s != 0 || us != 0))
    return false; // 24:00 is the midnight that ends the day
  out = hours{h} + minutes{m} + seconds{s} + microseconds{us};
  return true;
}

/// Nothing, Z, +HH, +HHMM or +HH:MM.
bool read_offset(scanner& in, minutes& out) {
  out = minutes{0};
  if (in.at_end() || in.skip('Z') || in.skip('z'))
    return true;
  bool west = in.skip('-');
  if (!west && !in.skip('+'))
    return false;
  auto h = in.number(2, 23);
  int m = 0;
  if (in.skip(':') || in.at_digit())
    m = in.number(2, 59);
  if (h < 0 || m < 0)
    return false;
  out = hours{h} + minutes{m};
  if (west)
    out = -out;
  return true;
}

constexpr timestamp first_time = sys_days{year{1} / 1 / 1};
constexpr timestamp last_time = sys_days{year{10000} / 1 / 1} - microseconds{1};

} // namespace

timestamp now() {
  return time_point_cast<microseconds>(system_clock::now());
}

expected<timestamp> parse_time(std::string_view text) {
  scanner in{text};
  sys_days date;
  if (!read_date(in, date))
    return not_a_time(text, "no such date");
  microseconds clock{0};
  minutes offset{0};
  if (!in.at_end()) {
    in.skip_any(); // T, but as with isoparse any separator will do
    if (!read_clock(in, clock))
      return not_a_time(text, "no such time of day");
    if (!read_offset(in, offset))
      return not_a_time(text, "no such offset from UTC");
  }
  if (!in.at_end())
    return not_a_time(text, "more text follows it");
  return timestamp{date} + clock - offset;
}

std::string format_time(timestamp t) {
  // Python's datetime ends there.
  t = std::clamp(t, first_time, last_time);
  auto days = floor<std::chrono::days>(t);
  year_month_day date{days};
  hh_mm_ss clock{t - days};
  auto out = fmt::format(
      "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  if (auto us = clock.subseconds().count(); us != 0)
    out += fmt::format(".{:06}", us);
  return out += "+00:00";
}

} // namespace umbel
