#define CAF_SUITE restart_history

#include "actors/supervision/restart_history.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

using time_point = restart_history::time_point;

const time_point t0{1h};

struct fixture {};

} // namespace

CAF_TEST_FIXTURE_SCOPE(restart_history_tests, fixture)

CAF_TEST(exactly max restarts are allowed within a period) {
  restart_history uut{{3, 5s}, {}};
  CAF_CHECK(uut.record(t0));
  CAF_CHECK(uut.record(t0 + 1s));
  CAF_CHECK(uut.record(t0 + 2s));
  CAF_CHECK_EQUAL(uut.recent(), 3u);
  CAF_CHECK(!uut.record(t0 + 5s));
}

CAF_TEST(the period slides) {
  restart_history uut{{2, 5s}, {}};
  CAF_CHECK(uut.record(t0));
  CAF_CHECK(uut.record(t0 + 4s));
  // The first is out of sight, the second is not.
  CAF_CHECK(uut.record(t0 + 6s));
  CAF_CHECK_EQUAL(uut.recent(), 2u);
  CAF_CHECK(!uut.record(t0 + 8s));
}

CAF_TEST(a restart that is one period old counts and an older one does not ) {
  restart_history on_the_edge{{1, 5s}, {}};
  CAF_CHECK(on_the_edge.record(t0));
  CAF_CHECK(!on_the_edge.record(t0 + 5s));
  restart_history past_it{{1, 5s}, {}};
  CAF_CHECK(past_it.record(t0));
  CAF_CHECK(past_it.record(t0 + 5s + 1ns));
}

CAF_TEST(the default is one restart in five seconds as in OTP) {
  restart_history uut{{}, {}};
  CAF_CHECK(uut.record(t0));
  CAF_CHECK(!uut.record(t0 + 5s));
}

CAF_TEST(with an intensity of zero nothing is restarted) {
  restart_history uut{{0, 5s}, {}};
  CAF_CHECK(!uut.record(t0));
}

CAF_TEST(without backoff restarts are immediate) {
  restart_history uut{{100, 5s}, {}};
  for (int i = 0; i < 100; ++i)
    CAF_CHECK_EQUAL(uut.record(t0), caf::timespan{0});
}

CAF_TEST(delays double up to the maximum) {
  restart_history uut{{1000, 1h}, {100ms, 1s}};
  auto now = t0;
  std::vector<caf::timespan> delays;
  for (int i = 0; i < 100; ++i) {
    auto delay = uut.record(now);
    CAF_REQUIRE(delay);
    delays.push_back(*delay);
    now += *delay; // and it dies as soon as it lives
  }
  CAF_CHECK_EQUAL(delays[0], caf::timespan{100ms});
  CAF_CHECK_EQUAL(delays[1], caf::timespan{200ms});
  CAF_CHECK_EQUAL(delays[2], caf::timespan{400ms});
  CAF_CHECK_EQUAL(delays[3], caf::timespan{800ms});
  CAF_CHECK_EQUAL(delays[4], caf::timespan{1s});
  CAF_CHECK_EQUAL(delays[99], caf::timespan{1s});
}

CAF_TEST(a maximum below the initial delay does not shorten it) {
  restart_history uut{{10, 1h}, {2s, 1s}};
  CAF_CHECK_EQUAL(uut.record(t0), caf::timespan{2s});
  CAF_CHECK_EQUAL(uut.record(t0), caf::timespan{2s});
}

CAF_TEST(a life longer than the maximum begins a new streak) {
  restart_history uut{{10, 1h}, {100ms, 1s}};
  CAF_CHECK_EQUAL(uut.record(t0), caf::timespan{100ms});
  // It lives from t0 + 100 ms on, and for exactly the maximum: still in a row.
  CAF_CHECK_EQUAL(uut.record(t0 + 1100ms), caf::timespan{200ms});
  CAF_CHECK_EQUAL(uut.record(t0 + 2300ms + 1ns), caf::timespan{100ms});
}

CAF_TEST(children have streaks of their own and share the intensity) {
  restart_history uut{{3, 5s}, {100ms, 1s}};
  restart_history::streak a;
  restart_history::streak b;
  CAF_CHECK_EQUAL(uut.record(t0, a), caf::timespan{100ms});
  CAF_CHECK_EQUAL(uut.record(t0, a), caf::timespan{200ms});
  CAF_CHECK_EQUAL(uut.record(t0, b), caf::timespan{100ms});
  CAF_CHECK(!uut.record(t0, b));
}

CAF_TEST_FIXTURE_SCOPE_END()
