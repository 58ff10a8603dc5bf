#define CAF_SUITE revocations

#include "actors/consumer/revocations.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

task_id id(int n) {
  return task_id{"id-" + std::to_string(n)};
}

} // namespace

CAF_TEST(what was added is contained) {
  revocations uut;
  CAF_CHECK(!uut.contains(id(1)));
  uut.add(id(1), timestamp{});
  uut.add(id(1), timestamp{});
  CAF_CHECK(uut.contains(id(1)));
  CAF_CHECK_EQUAL(uut.size(), 1u);
}

CAF_TEST(an old entry stays while there is room) {
  revocations uut{{2, 10s}};
  uut.add(id(1), timestamp{});
  uut.add(id(2), timestamp{1h});
  CAF_CHECK(uut.contains(id(1)));
}

CAF_TEST(when it is full the old ones go and at least the oldest) {
  revocations uut{{3, 10s}};
  for (int n = 1; n <= 3; ++n)
    uut.add(id(n), timestamp{n * 1s});
  uut.add(id(4), timestamp{4s});
  CAF_CHECK(!uut.contains(id(1)));
  CAF_CHECK_EQUAL(uut.size(), 3u);
  uut.add(id(5), timestamp{13s}); // 2 and 3 are expired
  CAF_CHECK_EQUAL(uut.size(), 2u);
  CAF_CHECK(uut.contains(id(4)));
  CAF_CHECK(uut.contains(id(5)));
}

CAF_TEST(one that is revoked again is young again) {
  revocations uut{{2, 1h}};
  uut.add(id(1), timestamp{1s});
  uut.add(id(2), timestamp{2s});
  uut.add(id(1), timestamp{3s});
  uut.add(id(3), timestamp{4s});
  CAF_CHECK(uut.contains(id(1)));
  CAF_CHECK(!uut.contains(id(2)));
}
