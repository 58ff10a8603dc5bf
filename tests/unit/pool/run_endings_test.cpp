#define CAF_SUITE run_endings

#include "tests/unit/pool/pool_fixture.hpp"

#include <csignal>

namespace {

struct fixture : pool_fixture {
  /// Teaches one child that noop is short, so that it gets jobs ahead.
  void start_with_short_jobs() {
    start_ready(1);
    run({1});
    finish(1, 1);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(run_endings_tests, fixture)

CAF_TEST(at its soft limit a run is asked to end) {
  start_ready(1);
  run({1}, {2s, 0s});
  pass(1900ms);
  CAF_CHECK(children[1].interrupted.empty());
  pass(100ms);
  CAF_CHECK_EQUAL(children[1].interrupted, ids{1});
  CAF_REQUIRE_EQUAL(log.over.size(), 1u);
  CAF_CHECK(log.over[0] == std::pair(uint64_t{1}, false));
  pass(1h);
  CAF_CHECK_EQUAL(children[1].interrupted, ids{1});
  CAF_CHECK(!children[1].killed);
  finish(1, 1);
  run({2});
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2}));
}

CAF_TEST(at its hard limit the child is killed and replaced) {
  pool_options options;
  options.intensity = {0, 10s}; // one death of its own would end the pool
  start(1, options);
  hello(1);
  run({1}, {0s, 2s});
  run({2});
  pass(2s);
  CAF_CHECK(children[1].killed);
  CAF_REQUIRE_EQUAL(log.over.size(), 1u);
  CAF_CHECK(log.over[0] == std::pair(uint64_t{1}, true));
  CAF_CHECK(log.lost.empty());
  die(1);
  CAF_REQUIRE_EQUAL(log.lost.size(), 1u);
  CAF_CHECK_EQUAL(log.lost[0].first, 1u);
  hello(2);
  CAF_CHECK_EQUAL(children[2].jobs, ids{2});
  CAF_CHECK(!ended);
}

CAF_TEST(the clock of a run starts when the one before it ends) {
  start_with_short_jobs();
  run({2, 3}, {0s, 1s});
  CAF_REQUIRE_EQUAL(children[1].jobs, (ids{1, 2, 3}));
  pass(900ms);
  finish(1, 2);
  pass(900ms);
  CAF_CHECK(log.over.empty());
  pass(100ms);
  CAF_REQUIRE_EQUAL(log.over.size(), 1u);
  CAF_CHECK_EQUAL(log.over[0].first, 3u);
}

CAF_TEST(runs that end in time cost no more than one look for each limit) {
  start_ready(1);
  for (uint64_t id = 1; id <= 1'000; ++id) {
    run({id}, {0s, 2s});
    finish(1, id);
  }
  CAF_CHECK(log.over.empty());
  auto pending = sched.clock().schedule().size();
  CAF_CHECK(pending <= 3);
  pass(1h);
  CAF_CHECK(log.over.empty());
}

CAF_TEST(before a child is killed it gives back what it has not begun) {
  start_with_short_jobs();
  run({2}, {0s, 5ms});
  run({3, 4});
  CAF_REQUIRE_EQUAL(children[1].jobs, (ids{1, 2, 3, 4}));
  pass(5ms);
  CAF_CHECK(children[1].recalled);
  CAF_CHECK(!children[1].killed);
  tell(child_returned{1, {3, 4}});
  CAF_CHECK(children[1].killed);
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2, 3, 4})); // nothing new
  die(1);
  CAF_REQUIRE_EQUAL(log.lost.size(), 1u);
  hello(2);
  CAF_CHECK_EQUAL(children[2].jobs, (ids{3, 4}));
}

CAF_TEST(a run that ends before its child is killed saves it) {
  start_with_short_jobs();
  run({2}, {0s, 5ms});
  run({3});
  pass(5ms);
  finish(1, 2);
  tell(child_returned{1, {}});
  CAF_CHECK(!children[1].killed);
  pass(1s);
  CAF_CHECK(!children[1].killed);
  finish(1, 3);
  run({5});
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2, 3, 5}));
}

CAF_TEST(a child that cannot answer is killed all the same) {
  start_with_short_jobs();
  run({2}, {0s, 5ms});
  run({3});
  pass(5ms);
  CAF_CHECK(!children[1].killed);
  pass(100ms);
  CAF_CHECK(children[1].killed);
  die(1);
  CAF_REQUIRE_EQUAL(log.lost.size(), 1u);
  CAF_CHECK_EQUAL(log.lost[0].first, 2u);
}

CAF_TEST(a child that was signalled for nothing is not used again) {
  start_ready(1);
  run({1}, {0s, 2s});
  pass(2s);
  finish(1, 1);
  CAF_CHECK_EQUAL(log.done, ids{1});
  run({2});
  CAF_CHECK_EQUAL(children[1].jobs, ids{1});
  die(1);
  CAF_CHECK(log.lost.empty());
  hello(2);
  CAF_CHECK_EQUAL(children[2].jobs, ids{2});
}

CAF_TEST(threads are only asked to end) {
  pool_options options;
  options.can_kill = false;
  start(1, options);
  hello(1);
  run({1}, {1s, 2s});
  pass(1s);
  CAF_CHECK_EQUAL(children[1].interrupted, ids{1});
  pass(1s);
  CAF_CHECK_EQUAL(children[1].interrupted, (ids{1, 1}));
  tell(withdraw_jobs{{1}, SIGTERM});
  CAF_CHECK_EQUAL(children[1].interrupted, (ids{1, 1, 1}));
  CAF_CHECK(!children[1].killed);
  CAF_CHECK(children[1].signals.empty());
}

CAF_TEST(a withdrawn job that waits comes back) {
  start_ready(1);
  run({1, 2, 3});
  tell(withdraw_jobs{{2, 99}, std::nullopt});
  CAF_CHECK_EQUAL(log.returned, ids{2});
  finish(1, 1);
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 3}));
}

CAF_TEST(a withdrawn job that a child holds comes back through a recall) {
  start_with_short_jobs();
  run({2, 3, 4});
  tell(withdraw_jobs{{3}, std::nullopt});
  CAF_CHECK(log.returned.empty());
  CAF_CHECK(children[1].recalled);
  tell(child_returned{1, {3, 4}});
  CAF_CHECK_EQUAL(log.returned, ids{3});
  finish(1, 2);
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2, 3, 4, 4}));
}

CAF_TEST(a withdrawn job that runs goes on unless it shall be terminated) {
  start_ready(1);
  run({1});
  tell(withdraw_jobs{{1}, std::nullopt});
  CAF_CHECK(children[1].signals.empty());
  tell(withdraw_jobs{{1}, SIGTERM});
  CAF_CHECK_EQUAL(children[1].signals, std::vector<int>{SIGTERM});
  CAF_CHECK(!children[1].killed);
  pass(pool_options{}.grace);
  CAF_CHECK(children[1].killed);
}

CAF_TEST(a job that begins before its recall is terminated then) {
  start_with_short_jobs();
  run({2, 3});
  tell(withdraw_jobs{{3}, SIGTERM});
  CAF_CHECK(children[1].signals.empty());
  finish(1, 2);
  tell(child_returned{1, {}});
  CAF_CHECK_EQUAL(children[1].signals, std::vector<int>{SIGTERM});
  CAF_CHECK(log.returned.empty());
}

CAF_TEST(what is sent to a child after its recall is not taken for returned) {
  start_with_short_jobs();
  run({2, 3});
  tell(withdraw_jobs{{3}, std::nullopt});
  run({4});
  CAF_REQUIRE_EQUAL(children[1].jobs, (ids{1, 2, 3, 4}));
  tell(child_returned{1, {3}});
  CAF_CHECK_EQUAL(log.returned, ids{3});
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2, 3, 4})); // once
  finish(1, 2);
  finish(1, 4);
  CAF_CHECK_EQUAL(log.done, (ids{1, 2, 4}));
}

CAF_TEST(a child that is saved from its end may get jobs before it answers) {
  start_with_short_jobs();
  run({2}, {0s, 5ms});
  run({3, 4});
  pass(5ms);
  finish(1, 2);
  run({5});
  CAF_REQUIRE_EQUAL(children[1].jobs, (ids{1, 2, 3, 4, 5}));
  tell(child_returned{1, {4}});
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2, 3, 4, 5, 4}));
}

CAF_TEST(a job to be terminated that its child had not begun comes back) {
  start_with_short_jobs();
  run({2, 3});
  tell(withdraw_jobs{{2}, SIGTERM});
  tell(child_returned{1, {2, 3}});
  CAF_CHECK_EQUAL(log.returned, ids{2});
  CAF_CHECK(children[1].signals.empty());
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2, 3, 3}));
}

CAF_TEST_FIXTURE_SCOPE_END()
