#define CAF_SUITE prefetch_window

#include "actors/consumer/prefetch_window.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct fixture {
  prefetch_window::time_point t{1h};

  /// Lets tasks end at a steady rate.
  void run(prefetch_window& uut, size_t per_millisecond, int milliseconds) {
    for (int i = 0; i < milliseconds; ++i) {
      t += 1ms;
      uut.finished(per_millisecond, t);
    }
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(prefetch_window_tests, fixture)

CAF_TEST(a window begins at its base) {
  prefetch_window uut{8, false};
  CAF_CHECK_EQUAL(uut.size(t), 8u);
}

CAF_TEST(a base of nothing is one) {
  CAF_CHECK_EQUAL((prefetch_window{0, true}).size(t), 1u);
}

CAF_TEST(short tasks open the window) {
  prefetch_window uut{8, false};
  run(uut, 40, 50);
  CAF_CHECK_EQUAL(uut.size(t), 1'000u); // 40,000/s for 25 ms
}

CAF_TEST(the window has an upper bound) {
  prefetch_window uut{8, false};
  run(uut, 1'000, 50);
  CAF_CHECK_EQUAL(uut.size(t), prefetch_window::window_max);
}

CAF_TEST(long tasks leave the window at its base) {
  prefetch_window uut{8, false};
  for (int i = 0; i < 10; ++i) {
    t += 90ms;
    uut.finished(1, t);
  }
  CAF_CHECK_EQUAL(uut.size(t), 8u);
}

CAF_TEST(the window falls back when no task ends) {
  prefetch_window uut{8, false};
  run(uut, 40, 50);
  t += 101ms;
  CAF_CHECK_EQUAL(uut.size(t), 8u);
}

CAF_TEST(a given multiplier is the law) {
  prefetch_window uut{2, true};
  run(uut, 1'000, 50);
  CAF_CHECK_EQUAL(uut.size(t), 2u);
}

CAF_TEST_FIXTURE_SCOPE_END()
