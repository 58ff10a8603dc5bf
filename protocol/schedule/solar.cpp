#include "protocol/schedule/solar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <string_view>

namespace umbel::schedule {

// Times are days since the epoch J2000.0, 2000-01-01T12:00Z, in universal time; angles
// are degrees.

namespace {

using namespace std::chrono;

constexpr timestamp j2000{sys_days{year{2000} / 1 / 1} + hours{12}};

/// Terrestrial minus universal time: 69 s in the 2020s. A minute of error moves the
/// sun by 0.0007 degrees.
constexpr double delta_t = 69.0 / 86'400;

/// Wherever an event takes place at all, it does within two winters.
constexpr int farthest_days = 800;

constexpr double days_per_century = 36'525;

double sine(double degrees) {
  return std::sin(degrees * std::numbers::pi / 180);
}

double cosine(double degrees) {
  return std::cos(degrees * std::numbers::pi / 180);
}

double to_degrees(double radians) {
  return radians * 180 / std::numbers::pi;
}

/// From -180 to 180.
double turned(double degrees) {
  return std::remainder(degrees, 360);
}

/// The sun as it is seen from the center of the earth.
struct sun {
  double right_ascension;
  double declination;
  double distance; ///< astronomical units
  double equinox;  ///< equation of the equinoxes, for sidereal time
};

/// Meeus, chapter 25, low accuracy; equation (25.8) for the apparent place.
sun sun_at(double day) {
  auto t = (day + delta_t) / days_per_century;
  auto mean_longitude = 280.46646 + t * (36'000.76983 + t * 0.0003032);
  auto anomaly = 357.52911 + t * (35'999.05029 - t * 0.0001537);
  auto eccentricity = 0.016708634 - t * (0.000042037 + t * 0.0000001267);
  auto center = (1.914602 - t * (0.004817 + t * 0.000014)) * sine(anomaly)
                + (0.019993 - t * 0.000101) * sine(2 * anomaly)
                + 0.000289 * sine(3 * anomaly);
  auto node = 125.04 - 1'934.136 * t;
  auto nutation = -0.00478 * sine(node);
  auto longitude = mean_longitude + center - 0.00569 + nutation;
  auto obliquity = 23.4392911
                   - t * (0.0130042 + t * (0.00000016 - t * 0.000000504))
                   + 0.00256 * cosine(node);
  sun result;
  result.right_ascension = to_degrees(
      std::atan2(cosine(obliquity) * sine(longitude), cosine(longitude)));
  result.declination = to_degrees(std::asin(sine(obliquity) * sine(longitude)));
  result.distance = 1.000001018 * (1 - eccentricity * eccentricity)
                    / (1 + eccentricity * cosine(anomaly + center));
  result.equinox = nutation * cosine(obliquity);
  return result;
}

/// How far the sun is west of the meridian.
double hour_angle(double day, double longitude, const sun& x) {
  // Meeus (12.4).
  auto t = day / days_per_century;
  auto sidereal =
      280.46061837 + 360.98564736629 * day + t * t * 0.000387933 + x.equinox;
  return turned(sidereal + longitude - x.right_ascension);
}

} // namespace

// -- events -------------------------------------------------------------------------

struct solar::kind {
  std::string_view name; ///< Celery's
  int direction;         ///< 1: rising, -1: setting, 0: noon
  double horizon;        ///< altitude at which it takes place
  bool upper_edge;       ///< of the sun's disk; else its center
};

const solar::kind solar::kinds[] = {
    {"dawn_astronomical", 1, -18, false},  {"dawn_nautical", 1, -12, false},
    {"dawn_civil", 1, -6, false},          {"sunrise", 1, -34.0 / 60, true},
    {"solar_noon", 0, 0, false},           {"sunset", -1, -34.0 / 60, true},
    {"dusk_civil", -1, -6, false},         {"dusk_nautical", -1, -12, false},
    {"dusk_astronomical", -1, -18, false},
};

expected<solar> solar::parse(const json::value& x) {
  auto wrong = [](const std::string& what) {
    return error{errc::invalid_setting, "solar: " + what};
  };
  json::value event, lat, lon;
  if (x.is_array() && x.get_array().size() == 3) {
    event = x.get_array()[0];
    lat = x.get_array()[1];
    lon = x.get_array()[2];
  } else if (x.is_object()) {
    for (auto& [name, value] : x.get_object()) {
      if (name == "event")
        event = value;
      else if (name == "lat")
        lat = value;
      else if (name == "lon")
        lon = value;
      else
        return wrong(
            fmt::format("there is no member '{}'; there are event, lat, lon",
                        std::string_view{name}));
    }
  } else {
    return wrong("expected [\"sunset\", latitude, longitude] or an object with "
                 "event, lat and lon");
  }
  auto what = std::ranges::find_if(kinds, [&](auto& k) {
    return event.is_string() && event.get_string() == k.name;
  });
  if (what == std::end(kinds)) {
    std::string names;
    for (auto& k : kinds)
      names.append(names.empty() ? "" : ", ").append(k.name);
    return wrong("the event " + to_json(event) + " is none of " + names);
  }
  auto within = [](const json::value& v, double bound) {
    return v.is_number() && std::abs(v.to_number<double>()) <= bound;
  };
  if (!within(lat, 90))
    return wrong(
        "the latitude has to be a number from -90 (south) to 90 (north)");
  if (!within(lon, 180))
    return wrong(
        "the longitude has to be a number from -180 (west) to 180 (east)");
  solar result{*what, lat.to_number<double>(), lon.to_number<double>()};
  if (result.next(j2000) == timestamp::max())
    return wrong(fmt::format("there is never a {} at latitude {}", what->name,
                             result.latitude_));
  return result;
}

double solar::height(double day) const {
  auto x = sun_at(day);
  auto altitude =
      to_degrees(std::asin(sine(latitude_) * sine(x.declination)
                           + cosine(latitude_) * cosine(x.declination)
                                 * cosine(hour_angle(day, longitude_, x))));
  // The sun's radius is 959.63 seconds of arc at a distance of 1.
  auto radius = what_->upper_edge ? 959.63 / 3'600 / x.distance : 0;
  return altitude + radius - what_->horizon;
}

double solar::noon(double day) const {
  for (int i = 0; i < 4; ++i)
    day -= hour_angle(day, longitude_, sun_at(day)) / 360;
  return day;
}

/// When it takes place between two instants next to each other at which the sun is
/// lowest or highest.
std::optional<double> solar::between(double begin, double end) const {
  auto rises = height(begin) < 0 && height(end) >= 0;
  auto sets = height(begin) >= 0 && height(end) < 0;
  if (what_->direction > 0 ? !rises : !sets)
    return std::nullopt;
  for (int step = 0; step < 36; ++step) {
    auto middle = (begin + end) / 2;
    ((height(middle) >= 0) == rises ? end : begin) = middle;
  }
  return end;
}

timestamp solar::next(timestamp last_run) const {
  auto start = duration<double, days::period>(last_run - j2000).count();
  // Noons are counted, so that an event is the same instant whoever asks when.
  auto first = std::floor(start + longitude_ / 360) - 1;
  auto top = noon(first - longitude_ / 360);
  for (auto i = first; i < first + farthest_days; ++i) {
    auto next_top = noon(i + 1 - longitude_ / 360);
    auto bottom = (top + next_top) / 2;
    std::optional<double> found[] = {top, std::nullopt};
    if (what_->direction != 0) {
      found[0] = between(top, bottom);
      found[1] = between(bottom, next_top);
    }
    for (auto& x : found)
      if (x)
        if (auto result =
                j2000 + round<seconds>(duration<double, days::period>(*x));
            result > last_run)
          return result;
    top = next_top;
  }
  return timestamp::max();
}

} // namespace umbel::schedule
