#define CAF_SUITE crontab

#include "tests/unit/dsl.hpp"

#include "protocol/schedule/schedule.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

timestamp at(std::string_view text) {
  return parse_time(text).value();
}

/// The next `n` due times in UTC.
std::vector<std::string> next(const std::string& crontab,
                              const std::string& zone,
                              std::string_view last_run, size_t n = 1) {
  auto x = schedule::crontab::parse(json::value(crontab),
                                    schedule::time_zone::find(zone).value());
  std::vector<std::string> result;
  for (auto t = at(last_run); result.size() < n;)
    result.push_back(format_time(t = x.value().next(t)).substr(0, 16));
  return result;
}

using times = std::vector<std::string>;

std::string fault(const char* text) {
  auto x = schedule::parse_schedule(parse_json(text).value(), false, {});
  return x ? "none" : x.error().what;
}

} // namespace

CAF_TEST(a due time is strictly after the minute of the last run) {
  CAF_CHECK_EQUAL(next("*/15 * * * *", "UTC", "2026-11-24T10:15:59Z", 3),
                  (times{"2026-11-24T10:30", "2026-11-24T10:45",
                         "2026-11-24T11:00"}));
  CAF_CHECK_EQUAL(next("0 4 * * *", "UTC", "2026-12-31T04:00:00Z"),
                  times{"2027-01-01T04:00"});
}

CAF_TEST(all fields have to match) {
  CAF_CHECK_EQUAL(next("0 0 13 * fri", "UTC", "2026-11-24T00:00:00Z", 2),
                  (times{"2027-08-13T00:00", "2028-10-13T00:00"}));
  CAF_CHECK_EQUAL(next("0 0 29 2 mon", "UTC", "2088-03-01T00:00:00Z"),
                  times{"2112-02-29T00:00"});
}

CAF_TEST(leap days) {
  CAF_CHECK_EQUAL(next("0 12 29 feb *", "UTC", "2026-01-01T00:00:00Z", 2),
                  (times{"2028-02-29T12:00", "2032-02-29T12:00"}));
}

CAF_TEST(a time of the day that is skipped is due when the clocks change) {
  CAF_CHECK_EQUAL(next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
                  (times{"2026-03-29T01:00", "2026-03-30T00:30"}));
}

CAF_TEST(a time of the day that comes twice is due once) {
  CAF_CHECK_EQUAL(next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
                  (times{"2026-10-25T00:30", "2026-10-26T01:30"}));
  CAF_CHECK_EQUAL(next("*/30 0-4 * * *", "Europe/Berlin",
                       "2026-10-25T00:00:00Z", 3),
                  (times{"2026-10-25T00:30", "2026-10-25T02:00",
                         "2026-10-25T02:30"}));
}

CAF_TEST(crontabs of every hour count hours as they pass) {
  CAF_CHECK_EQUAL(next("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2),
                  (times{"2026-03-29T00:30", "2026-03-29T01:30"}));
  CAF_CHECK_EQUAL(next("*/30 * * * *", "Europe/Berlin",
                       "2026-10-25T00:00:00Z", 4),
                  (times{"2026-10-25T00:30", "2026-10-25T01:00",
                         "2026-10-25T01:30", "2026-10-25T02:00"}));
}

CAF_TEST(mistakes are explained) {
  CAF_CHECK_EQUAL(fault(R"({"crontab": "60 * * * *"})"),
                  "crontab minute '60': 60 is not between 0 and 59");
  CAF_CHECK_EQUAL(fault(R"({"crontab": "* * * *"})"),
                  "crontab '* * * *': expected five fields, minute hour "
                  "day_of_month month_of_year day_of_week");
  CAF_CHECK_EQUAL(fault(R"({"crontab": {"hour": "*/0"}})"),
                  "crontab hour '*/0': the step is not a number from 1 up");
  CAF_CHECK_EQUAL(fault(R"({"crontab": {"hour": "5/2"}})"),
                  "crontab hour '5/2': a step needs '*' or a range before it");
  CAF_CHECK_EQUAL(fault(R"({"crontab": {"day_of_week": "1,,2"}})"),
                  "crontab day_of_week '': '' is not a number or a day's name");
  CAF_CHECK_EQUAL(fault(R"({"crontab": {"day_of_month": [30, 31],
                                        "month_of_year": 2}})"),
                  "crontab: none of its months has one of its days of the "
                  "month");
  CAF_CHECK_EQUAL(fault(R"({"crontab": {"hours": 1}})").substr(0, 28),
                  "crontab has no field 'hours'");
  CAF_CHECK_EQUAL(fault(R"({"crontab": {"timezone": "Mars/Olympus"}})"),
                  "there is no time zone 'Mars/Olympus' in the system's tzdata; "
                  "names are such as Europe/Berlin");
  CAF_CHECK_EQUAL(fault("0"), "schedule 0: an interval lasts from 0.001 seconds "
                              "to a century");
}

CAF_TEST(a deadline forgets what was due too long ago) {
  auto x = schedule::parse_schedule(
    parse_json(R"({"crontab": "0 * * * *"})").value(), false, {});
  auto last = at("2026-11-24T07:00:00Z");
  auto now = at("2026-11-24T10:10:00Z");
  auto state = schedule::is_due(x.value(), last, now, 10min);
  CAF_CHECK(state.due);
  state = schedule::is_due(x.value(), last, now, 9min);
  CAF_CHECK(!state.due);
  CAF_CHECK_EQUAL(state.next, 50min);
}

CAF_TEST(relative intervals are rounded to their resolution) {
  schedule::interval x{2h, true, schedule::time_zone::find("Asia/Kolkata").value()};
  CAF_CHECK_EQUAL(format_time(x.next(at("2026-11-24T10:17:03Z"))),
                  "2026-11-24T11:30:00+00:00");
}
