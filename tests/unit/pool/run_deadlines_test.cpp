#define CAF_SUITE run_deadlines

#include "actors/pool/run_deadlines.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct fixture {
  run_deadlines uut;
  run_deadlines::time_point t{};

  /// What is due, as {job, hard, limit in ms}.
  std::vector<std::tuple<uint64_t, bool, int64_t>> due() {
    std::vector<std::tuple<uint64_t, bool, int64_t>> result;
    for (auto& x : uut.take_due(t))
      result.emplace_back(x.job, x.hard, x.limit.count());
    std::sort(result.begin(), result.end());
    return result;
  }
};

using dues = std::vector<std::tuple<uint64_t, bool, int64_t>>;

constexpr auto none = 0ms;

} // namespace

CAF_TEST_FIXTURE_SCOPE(run_deadlines_tests, fixture)

CAF_TEST(a run without limits needs no look) {
  uut.begin(1, {}, t);
  CAF_CHECK(!uut.next());
}

CAF_TEST(the soft limit comes first and then the hard one) {
  uut.begin(1, {2s, 5s}, t);
  CAF_CHECK(uut.next() == t + 2s);
  t += 1s;
  CAF_CHECK(due().empty());
  CAF_CHECK(uut.next() == t + 1s);
  t += 1s;
  CAF_CHECK(due() == (dues{{1, false, 2'000}}));
  CAF_CHECK(due().empty());
  CAF_CHECK(uut.next() == t + 3s);
  t += 3s;
  CAF_CHECK(due() == (dues{{1, true, 5'000}}));
  CAF_CHECK(due().empty());
  CAF_CHECK(!uut.next());
}

CAF_TEST(a run that ends is forgotten) {
  uut.begin(1, {none, 1s}, t);
  uut.begin(2, {1s, none}, t);
  uut.end(1);
  uut.end(3); // has no limit
  t += 1s;
  CAF_CHECK(due() == (dues{{2, false, 1'000}}));
  CAF_CHECK(!uut.next());
  uut.end(2);
  CAF_CHECK(!uut.next());
}

CAF_TEST(of two limits that are over the hard one counts) {
  uut.begin(1, {1s, 2s}, t);
  uut.begin(2, {3s, 2s}, t); // in the wrong order
  uut.begin(3, {2s, 2s}, t);
  t += 10s;
  CAF_CHECK(due()
            == (dues{{1, true, 2'000}, {2, true, 2'000}, {3, true, 2'000}}));
}

CAF_TEST(the next look is never too late) {
  uut.begin(1, {none, 10s}, t);
  t += 1s;
  uut.begin(2, {none, 2s}, t);
  CAF_CHECK(uut.next() == t + 2s);
  uut.end(2);
  CAF_REQUIRE(uut.next());
  CAF_CHECK(*uut.next() <= t + 9s);
  t += 2s;
  CAF_CHECK(due().empty());
  CAF_CHECK(uut.next() == t + 7s);
}

CAF_TEST(limits of a century do not overflow) {
  t += std::chrono::hours{24 * 365 * 30};
  uut.begin(1, {100 * 366 * 24h, 100 * 366 * 24h}, t);
  CAF_CHECK(due().empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
