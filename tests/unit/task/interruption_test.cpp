#define CAF_SUITE interruption

#include "tests/unit/dsl.hpp"

#include "protocol/task/interruption.hpp"

#include <thread>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// Further than any test runs.
auto far_away() {
  return std::chrono::steady_clock::now() + 1h;
}

} // namespace

CAF_TEST(a request reaches the run that it names and no other) {
  interruption stop;
  stop.begin(1);
  CAF_CHECK(!stop.consume());
  stop.request(2);
  CAF_CHECK(!stop.consume());
  stop.request(1);
  CAF_CHECK(stop.consume());
  stop.end();
  stop.begin(2);
  stop.request(1);
  CAF_CHECK(!stop.consume());
}

CAF_TEST(a request that comes before the run is kept for it) {
  interruption stop;
  stop.request(2);
  stop.begin(1);
  CAF_CHECK(!stop.consume());
  stop.end();
  stop.request(2);
  stop.begin(2);
  CAF_CHECK(stop.consume());
  CAF_CHECK(!stop.consume());
}

CAF_TEST(a request counts once) {
  interruption stop;
  stop.begin(1);
  stop.request(1);
  stop.request(1);
  CAF_CHECK(stop.consume());
  CAF_CHECK(!stop.consume());
}

CAF_TEST(a request ends a sleep whenever it comes) {
  interruption stop;
  stop.begin(7);
  stop.request(7);
  stop.sleep_until(far_away());
  CAF_CHECK(stop.consume());
  std::thread other{[&] { stop.request(7); }};
  stop.sleep_until(far_away());
  other.join();
  CAF_CHECK(stop.consume());
}

CAF_TEST(a sleep ends at its time) {
  interruption stop;
  stop.begin(1);
  auto deadline = std::chrono::steady_clock::now() + 2ms;
  stop.sleep_until(deadline);
  CAF_CHECK(std::chrono::steady_clock::now() >= deadline);
  CAF_CHECK(!stop.consume());
}
