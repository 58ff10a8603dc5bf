#define CAF_SUITE time

#include "tests/unit/dsl.hpp"

#include "protocol/message/time.hpp"

using namespace umbel;

namespace {

std::string utc(std::string_view text) {
  auto t = parse_time(text);
  return t ? format_time(*t) : "error: " + t.error().what;
}

} // namespace

CAF_TEST(what Python writes reads back the same) {
  for (auto text :
       {"2026-11-23T11:45:16.169118+00:00", "2026-11-23T11:45:16+00:00",
        "1970-01-01T00:00:00+00:00", "0001-01-01T00:00:00+00:00",
        "1969-12-31T23:59:59.9+00:00", "9999-12-31T23:59:59.999999+00:00"}) {
    auto want = std::string{text};
    if (want.find(".9+") != want.npos)
      want = "1969-12-31T23:59:59.900000+00:00";
    CAF_CHECK_EQUAL(utc(text), want);
  }
}

CAF_TEST(all forms of isoparse) {
  const auto day = "2026-11-23T00:00:00+00:00";
  const auto hour = "2026-11-23T11:00:00+00:00";
  const auto minute = "2026-11-23T11:45:00+00:00";
  const auto second = "2026-11-23T11:45:16+00:00";
  const auto half = "2026-11-23T11:45:16.500000+00:00";
  const std::pair<const char*, const char*> forms[]{
      {"2026", "2026-01-01T00:00:00+00:00"},
      {"2026-11", "2026-11-01T00:00:00+00:00"},
      {"2026-11-23", day},
      {"20261123", day},
      {"2026-11-23T11", hour},
      {"2026-11-23T11:45", minute},
      {"20261123T1145", minute},
      {"2026-11-23T11:45:16", second},
      {"20261123T114516", second},
      {"20261123T114516Z", second},
      {"2026-11-23 11:45:16", second},
      {"2026-11-23T11:45:16Z", second},
      {"2026-11-23T11:45:16.5", half},
      {"2026-11-23T11:45:16,5Z", half},
      {"2026-11-23T11:45:16.500000000Z", half},
      {"20261123T114516.5+0000", half},
      {"2026-11-23T13:45:16+02", second},
      {"2026-11-23T13:45:16+0200", second},
      {"2026-11-23T13:45:16+02:00", second},
      {"2026-11-23T06:15:16-05:30", second},
      {"2026-11-23T11:45:16-00:00", second},
      {"2026-11-22T24:00", day},
      {"2024-02-29", "2024-02-29T00:00:00+00:00"},
      {"2026-12-31T23:30-01:00", "2027-01-01T00:30:00+00:00"},
  };
  for (auto& [text, want] : forms)
    CAF_CHECK_EQUAL(utc(text), want);
}

CAF_TEST(garbage is refused) {
  for (auto text : {"",
                    " ",
                    "tomorrow",
                    "12",
                    "0000-01-01",
                    "2026-13-01",
                    "2026-02-29",
                    "2026-00-10",
                    "2026-1-1",
                    "2026-11-23T",
                    "2026-11-23T25:00",
                    "2026-11-23T11:60",
                    "2026-11-23T11:45:60",
                    "2026-11-23T24:00:01",
                    "2026-11-23T11:45:16.",
                    "2026-11-23T11:45:16.x",
                    "2026-11-23T11:45:16+",
                    "2026-11-23T11:45:16+1",
                    "2026-11-23T11:45:16+24:00",
                    "2026-11-23T11:45:16+02:60",
                    "2026-11-23T11:45:16Z ",
                    "2026-11-23T11:45:16ZZ",
                    "-2026-11-23",
                    "20261123114516",
                    "1763898316",
                    "2026-11-23T11:45:16+00:00\n",
                    "\xff\xfe",
                    "2026-11-23T-1:45"}) {
    auto t = parse_time(text);
    CAF_CHECK(!t);
    if (t)
      CAF_MESSAGE("accepted: " << text);
    else
      CAF_CHECK(t.error().code == errc::malformed);
  }
  CAF_CHECK_EQUAL(parse_time("next\nweek").error().what,
                  "'next\\nweek' is not an ISO 8601 time: no such date");
}

CAF_TEST(times that Python does not know are written as the nearest) {
  CAF_CHECK_EQUAL(format_time(timestamp::max()),
                  "9999-12-31T23:59:59.999999+00:00");
  CAF_CHECK_EQUAL(format_time(timestamp::min()), "0001-01-01T00:00:00+00:00");
}
