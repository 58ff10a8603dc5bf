#include "protocol/rate.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace umbel {

namespace {

constexpr double per_second_max = 1e6;
constexpr double interval_max = 100 * 365.25 * 86'400; // seconds

/// Seconds of a unit; 0 for an unknown one.
double seconds_of(std::string_view unit) {
  if (unit == "s")
    return 1;
  if (unit == "m")
    return 60;
  return unit == "h" ? 3'600 : 0;
}

} // namespace

expected<rate> parse_rate(std::string_view text) {
  if (text.empty())
    return rate{};
  auto slash = text.find('/');
  auto number = text.substr(0, slash);
  auto unit = slash == text.npos ? 1.0 : seconds_of(text.substr(slash + 1));
  double count = 0;
  auto end = number.data() + number.size();
  auto [ptr, code] = std::from_chars(number.data(), end, count);
  auto well_formed = code == std::errc{} && ptr == end && unit > 0
                     && std::isfinite(count) && count >= 0;
  if (well_formed && count == 0)
    return rate{};
  if (!well_formed || count / unit > per_second_max
      || unit / count > interval_max)
    return error{errc::invalid_setting,
                 fmt::format("'{}' is no rate such as 10/s, 100/m or 1000/h",
                             text)};
  return rate{std::chrono::round<std::chrono::microseconds>(
      std::chrono::duration<double>{unit / count})};
}

std::string to_string(const rate& x) {
  if (!x.limits())
    return "0";
  auto seconds = std::chrono::duration<double>{x.interval}.count();
  for (auto unit : {"s", "m"}) {
    auto count = seconds_of(unit) / seconds;
    // An interval is a whole number of microseconds.
    if (auto whole = std::round(count);
        whole >= 1 && std::abs(count - whole) / whole < 1e-5)
      return fmt::format("{:.0f}/{}", whole, unit);
  }
  return fmt::format("{:g}/h", seconds_of("h") / seconds);
}

} // namespace umbel
