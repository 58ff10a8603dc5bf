#define CAF_SUITE solar

#include "tests/unit/dsl.hpp"

#include "protocol/schedule/schedule.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

timestamp at(std::string_view text) {
  return parse_time(text).value();
}

struct published {
  const char* event;
  double latitude;
  double longitude;
  const char* after;
  const char* time;
};

/// Sunrise, sunset: U.S. Naval Observatory, "Rise and Set for the Sun", tables of one
/// year (aa.usno.navy.mil/data/RS_OneYear), places named by whole degrees; they round
/// to the minute.
constexpr published naval_observatory[] = {
    {"sunrise", 29, -81, "2019-01-01T06:00Z", "2019-01-01T12:18Z"},
    {"sunset", 29, -81, "2019-06-20T06:00Z", "2019-06-21T00:26Z"},
    {"sunrise", 29, -81, "2019-11-03T06:00Z", "2019-11-03T11:38Z"},
    {"sunrise", 60, 0, "2019-06-21T00:00Z", "2019-06-21T02:36Z"},
    {"sunset", 60, 0, "2019-06-21T00:00Z", "2019-06-21T21:28Z"},
    {"sunrise", 60, 0, "2019-12-26T00:00Z", "2019-12-26T09:03Z"},
    {"sunset", 60, 0, "2019-03-20T00:00Z", "2019-03-20T18:14Z"},
    {"sunrise", -60, -150, "2019-12-16T08:00Z", "2019-12-16T12:31Z"},
    {"sunset", -60, -150, "2019-06-14T21:00Z", "2019-06-15T00:58Z"},
    {"sunrise", 80, 0, "2019-03-10T00:00Z", "2019-03-10T07:28Z"},
    {"sunset", 80, 0, "2019-10-05T00:00Z", "2019-10-05T16:16Z"},
    {"sunrise", -80, -150, "2019-03-20T12:00Z", "2019-03-20T15:46Z"},
    {"sunset", -80, -150, "2019-10-08T00:00Z", "2019-10-08T06:33Z"},
    {"sunset", 15, 75, "1750-01-01T06:00Z", "1750-01-01T12:42Z"},
    {"sunrise", 15, 75, "1750-06-20T18:00Z", "1750-06-21T00:31Z"},
    // Atlanta, 2009-09-06; also in PyEphem's documentation of risings and settings.
    {"sunrise", 33.8, -84.4, "2009-09-06T05:00Z", "2009-09-06T11:15Z"},
    {"sunset", 33.8, -84.4, "2009-09-06T05:00Z", "2009-09-06T23:56Z"},
    {"dawn_civil", 33.8, -84.4, "2009-09-06T05:00Z", "2009-09-06T10:49Z"},
    {"dusk_civil", 33.8, -84.4, "2009-09-06T05:00Z", "2009-09-07T00:22Z"},
    // Wayne, New Jersey: the example of its "Almanac for Computers" (1990).
    {"sunrise", 40.9, -74.3, "1990-06-25T04:00Z", "1990-06-25T09:26Z"},
};

/// To the second: NREL/TP-560-34302 (Reda, Andreas: Solar Position Algorithm, 2008),
/// its example at Golden, Colorado; and Skyfield's documentation, by JPL's DE421, for
/// Bluffton, Ohio.
constexpr published to_the_second[] = {
    {"sunrise", 39.742476, -105.1786, "2003-10-17T08:00Z",
     "2003-10-17T13:12:43Z"},
    {"solar_noon", 39.742476, -105.1786, "2003-10-17T08:00Z",
     "2003-10-17T18:46:05Z"},
    {"sunrise", 40.8939, -83.8917, "2018-09-12T04:00Z", "2018-09-12T11:13:13Z"},
    {"sunset", 40.8939, -83.8917, "2018-09-12T04:00Z", "2018-09-12T23:49:38Z"},
};

schedule::any_schedule make(std::string_view event, double lat, double lon) {
  json::value x{{"solar", {event, lat, lon}}};
  return schedule::parse_schedule(x, false, {}).value();
}

/// How far off it is.
std::chrono::seconds error_of(const published& x) {
  auto ours =
      schedule::next(make(x.event, x.latitude, x.longitude), at(x.after));
  return std::chrono::abs(
      std::chrono::round<std::chrono::seconds>(ours - at(x.time)));
}

std::string fault(const char* text) {
  auto x = schedule::parse_schedule(parse_json(text).value(), false, {});
  return x ? "none" : x.error().what;
}

} // namespace

CAF_TEST(events are within a minute of published tables) {
  for (auto& x : naval_observatory) {
    CAF_MESSAGE(x.event << " " << x.latitude << " " << x.time << ": "
                        << error_of(x).count() << " s");
    CAF_CHECK(error_of(x) <= 60s);
  }
  for (auto& x : to_the_second) {
    CAF_MESSAGE(x.event << " " << x.time << ": " << error_of(x).count()
                        << " s");
    CAF_CHECK(error_of(x) <= 5s);
  }
}

CAF_TEST(polar night and midnight sun are skipped) {
  // The same tables: at 80 degrees north the sun is below the horizon until February
  // 21st, and does not set from April 14th on; the next setting is that of August 30th.
  auto rise = make("sunrise", 80, 0);
  auto first = schedule::next(rise, at("2018-12-01T00:00Z"));
  CAF_CHECK(std::chrono::abs(first - at("2019-02-21T11:20Z")) <= 60s);
  auto set = make("sunset", 80, 0);
  auto last = schedule::next(set, at("2019-04-12T12:00Z"));
  CAF_CHECK(std::chrono::abs(last - at("2019-04-12T23:02Z")) <= 60s);
  auto after = schedule::next(set, last);
  CAF_CHECK(std::chrono::abs(after - at("2019-08-30T23:01Z")) <= 60s);
}

CAF_TEST(at the pole the sun rises once a year) {
  auto rise = make("sunrise", 90, 0);
  auto first = schedule::next(rise, at("2019-01-01T00:00Z"));
  auto second = schedule::next(rise, first);
  CAF_CHECK_EQUAL(format_time(first).substr(0, 10), "2019-03-18");
  CAF_CHECK_EQUAL(format_time(second).substr(0, 10), "2020-03-18");
}

CAF_TEST(an event is the same instant whoever asks when) {
  auto x = make("sunset", 52.5, 13.4);
  auto due = schedule::next(x, at("2026-11-24T00:00Z"));
  for (auto before : {1s, 60s, 3'600s, 40'000s})
    CAF_CHECK(schedule::next(x, due - before) == due);
  CAF_CHECK(schedule::next(x, due) > due + 23h);
  CAF_CHECK(schedule::next(x, due) < due + 25h);
}

CAF_TEST(what never takes place is refused and mistakes are explained) {
  CAF_CHECK_EQUAL(fault(R"({"solar": ["dusk_astronomical", 0, 0]})"), "none");
  CAF_CHECK_EQUAL(
      fault(R"({"solar": {"event": "sunset", "lat": 1, "lon": 2}})"), "none");
  CAF_CHECK_EQUAL(fault(R"({"solar": ["moonrise", 0, 0]})"),
                  "solar: the event \"moonrise\" is none of dawn_astronomical, "
                  "dawn_nautical, dawn_civil, sunrise, solar_noon, sunset, "
                  "dusk_civil, dusk_nautical, dusk_astronomical");
  CAF_CHECK_EQUAL(
      fault(R"({"solar": ["sunset", 90.1, 0]})"),
      "solar: the latitude has to be a number from -90 (south) to 90 "
      "(north)");
  CAF_CHECK_EQUAL(
      fault(R"({"solar": ["sunset", 0, -181]})"),
      "solar: the longitude has to be a number from -180 (west) to 180 "
      "(east)");
  CAF_CHECK_EQUAL(
      fault(R"({"solar": "sunset"})"),
      "solar: expected [\"sunset\", latitude, longitude] or an object "
      "with event, lat and lon");
}
