#include "protocol/schedule/time_zone.hpp"

#include <date/tz.h>

#include <algorithm>
#include <stdexcept>

namespace umbel::schedule {

namespace {

using std::chrono::seconds;

// Far enough not to matter, near enough not to overflow microseconds.
constexpr seconds horizon{std::chrono::years{10'000}};

timestamp bounded(date::sys_seconds x) {
  return timestamp{std::clamp(x.time_since_epoch(), -horizon, horizon)};
}

const date::time_zone* zone_of(const void* x) {
  return static_cast<const date::time_zone*>(x);
}

} // namespace

expected<time_zone> time_zone::find(const std::string& name) {
  time_zone result;
  if (name.empty() || name == "UTC")
    return result;
  // The library reports both a wrong name and a missing tzdata by an exception.
  try {
    result.zone_ = date::locate_zone(name);
  } catch (const std::runtime_error&) {
    return error{errc::invalid_setting,
                 "there is no time zone '" + name
                   + "' in the system's tzdata; names are such as "
                     "Europe/Berlin"};
  }
  return result;
}

std::string time_zone::name() const {
  return zone_ == nullptr ? "UTC" : zone_of(zone_)->name();
}

zone_period time_zone::period(timestamp t) const {
  if (zone_ == nullptr)
    return {timestamp{-horizon}, timestamp{horizon}, seconds{0}};
  auto info
    = zone_of(zone_)->get_info(std::chrono::floor<seconds>(t));
  return {bounded(info.begin), bounded(info.end), info.offset};
}

timestamp time_zone::first_time(wall_time x) const {
  auto since_epoch = x.time_since_epoch();
  if (zone_ == nullptr)
    return timestamp{since_epoch};
  auto info = zone_of(zone_)->get_info(
    date::local_seconds{std::chrono::floor<seconds>(since_epoch)});
  if (info.result == date::local_info::nonexistent)
    return bounded(info.first.end);
  return timestamp{since_epoch - info.first.offset};
}

} // namespace umbel::schedule
