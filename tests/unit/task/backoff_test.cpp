#define CAF_SUITE backoff

#include "tests/unit/dsl.hpp"

#include "protocol/task/backoff.hpp"

using namespace umbel;
using namespace std::chrono_literals;

CAF_TEST(the wait doubles up to the maximum) {
  CAF_CHECK_EQUAL(backoff_interval(1s, 0, 600s).count(), 1);
  CAF_CHECK_EQUAL(backoff_interval(1s, 3, 600s).count(), 8);
  CAF_CHECK_EQUAL(backoff_interval(5s, 2, 600s).count(), 20);
  CAF_CHECK_EQUAL(backoff_interval(1s, 9, 600s).count(), 512);
  CAF_CHECK_EQUAL(backoff_interval(1s, 10, 600s).count(), 600);
  CAF_CHECK_EQUAL(backoff_interval(1000s, 0, 600s).count(), 600);
  CAF_CHECK_EQUAL(backoff_interval(1s, INT64_MAX, 600s).count(), 600);
  CAF_CHECK_EQUAL(backoff_interval(0s, 5, 600s).count(), 0);
  CAF_CHECK_EQUAL(backoff_interval(-1s, 5, 600s).count(), 0);
  CAF_CHECK_EQUAL(backoff_interval(0s, INT64_MAX, 600s).count(), 0);
}

CAF_TEST(jitter covers the whole interval and nothing else) {
  CAF_CHECK_EQUAL(full_jitter(0s, 12345).count(), 0);
  CAF_CHECK_EQUAL(full_jitter(4s, 5).count(), 0);
  CAF_CHECK_EQUAL(full_jitter(4s, 9).count(), 4);
  CAF_CHECK_EQUAL(full_jitter(4s, UINT64_MAX).count(), 0);
}
