#define CAF_SUITE succession

#include "tests/unit/pool/pool_fixture.hpp"

namespace {

pool_options with_limits(recycling_limits limits) {
  pool_options result;
  result.recycling = limits;
  return result;
}

const auto grace = pool_options{}.grace;

} // namespace

CAF_TEST_FIXTURE_SCOPE(succession_tests, pool_fixture)

// -- the number of tasks ----------------------------------------------------------

CAF_TEST(a child gets as many jobs as it may run and not one more) {
  start_ready(1, with_limits({3, 0, 0}));
  run({1}); // teaches that noop is short: the others are given ahead
  finish(1, 1);
  run({2, 3, 4, 5});
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2, 3}));
  CAF_REQUIRE_EQUAL(children.size(), 2u);
  CAF_MESSAGE("the successor is there before, and works after the last job");
  hello(2);
  CAF_CHECK(children[2].jobs.empty());
  finish(1, 2);
  CAF_CHECK(!children[1].stopped);
  CAF_CHECK(children[2].jobs.empty());
  finish(1, 3);
  CAF_CHECK(children[1].stopped);
  CAF_CHECK_EQUAL(children[2].jobs, (ids{4, 5}));
}

CAF_TEST(jobs wait for a successor that is late) {
  start_ready(1, with_limits({1, 0, 0}));
  run({1, 2});
  CAF_CHECK_EQUAL(children.size(), 2u);
  finish(1, 1);
  CAF_CHECK(!children[1].stopped);
  CAF_CHECK_EQUAL(children[1].jobs, ids{1});
  hello(2);
  CAF_CHECK(children[1].stopped);
  CAF_CHECK_EQUAL(children[2].jobs, ids{2});
  CAF_CHECK(log.lost.empty());
}

CAF_TEST(a recalled job does not count) {
  start_ready(2, with_limits({3, 0, 0}));
  run({1});
  finish(1, 1);
  run({2, 3, 4, 5});
  auto mine = children[1].jobs;
  CAF_REQUIRE_EQUAL(mine.size(), 3u);
  pass(20ms);
  CAF_REQUIRE(children[1].recalled);
  tell(child_returned{1, {mine[2]}});
  finish(1, mine[1]);
  CAF_CHECK(!children[1].stopped);
  run({6, 7, 8});
  CAF_CHECK_EQUAL(children[1].jobs.size(), 4u);
}

CAF_TEST(one that was replaced is not replaced again) {
  start_ready(1, with_limits({1, 0, 0}));
  run({1});
  hello(2);
  finish(1, 1);
  CAF_REQUIRE(children[1].stopped);
  die(1, "exit status 0");
  CAF_CHECK_EQUAL(children.size(), 2u);
  pass(1min);
  CAF_CHECK_EQUAL(children.size(), 2u);
  CAF_CHECK(!ended);
}

CAF_TEST(children that only work and go do not count as crashes) {
  auto options = with_limits({1, 0, 0});
  options.intensity = {1, 60s};
  start_ready(1, options);
  for (uint64_t id = 1; id <= 20; ++id) {
    run({id});
    hello(id + 1);
    finish(id, id);
    die(id, "exit status 0");
  }
  CAF_CHECK(!ended);
  CAF_CHECK_EQUAL(log.done.size(), 20u);
  CAF_CHECK_EQUAL(children.size(), 21u);
}

// -- memory -----------------------------------------------------------------------

CAF_TEST(a child that holds too much after a job is replaced) {
  start_ready(1, with_limits({0, 1000, 0}));
  run({1});
  finish(1, 1, 1000);
  CAF_CHECK_EQUAL(children.size(), 1u);
  run({2});
  finish(1, 2, 1001);
  CAF_REQUIRE_EQUAL(children.size(), 2u);
  CAF_CHECK(!children[1].stopped);
  hello(2);
  CAF_CHECK(children[1].stopped);
  run({3});
  CAF_CHECK_EQUAL(children[2].jobs, ids{3});
}

CAF_TEST(until its successor is ready a due child gets short jobs only) {
  start_ready(1, with_limits({0, 1000, 0}));
  run({1});
  finish(1, 1, 1001);
  run({2, 3});
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2}));
  finish(1, 2, 1002, 1s); // noop has turned out long
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2}));
  hello(2);
  CAF_CHECK_EQUAL(children[2].jobs, ids{3});
}

CAF_TEST(one that leaks on until its successor is ready gets nothing more) {
  start_ready(1, with_limits({0, 1000, 0}));
  run({1, 2, 3, 4});
  finish(1, 1, 1001);
  finish(1, 2, 1500);
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2, 3}));
  finish(1, 3, 1501);
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2, 3}));
  CAF_CHECK(!children[1].stopped);
  hello(2);
  CAF_CHECK(children[1].stopped);
  CAF_CHECK_EQUAL(children[2].jobs, ids{4});
  CAF_CHECK(log.lost.empty());
}

CAF_TEST(what a due child was given ahead is recalled) {
  start_ready(1, with_limits({0, 1000, 0}));
  run({1});
  finish(1, 1);
  run({2, 3, 4, 5});
  CAF_REQUIRE_EQUAL(children[1].jobs, (ids{1, 2, 3, 4, 5}));
  finish(1, 2, 1001);
  CAF_CHECK(children[1].recalled);
  hello(2);
  CAF_CHECK(!children[1].stopped); // it is at job 3
  tell(child_returned{1, {4, 5}});
  CAF_CHECK_EQUAL(children[2].jobs, ids{});
  finish(1, 3, 1001);
  CAF_CHECK(children[1].stopped);
  CAF_CHECK_EQUAL(children[2].jobs, (ids{4, 5}));
}

CAF_TEST(memory in the middle of a job has the successor started early) {
  start_ready(1, with_limits({0, 1000, 0}));
  run({1});
  pass(25ms);
  CAF_REQUIRE_EQUAL(children[1].sampled, 1u);
  tell(child_memory{1, 1001});
  CAF_REQUIRE_EQUAL(children.size(), 2u);
  hello(2);
  CAF_MESSAGE("given back before the end: a peak costs nothing");
  finish(1, 1, 10);
  CAF_CHECK(!children[1].stopped);
  run({2});
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2}));
  CAF_MESSAGE("the next time, the successor is there already");
  finish(1, 2, 1001);
  CAF_CHECK(children[1].stopped);
  CAF_CHECK_EQUAL(children.size(), 2u);
}

CAF_TEST(nobody looks at the memory of idle children) {
  start_ready(1, with_limits({0, 1000, 0}));
  run({1});
  pass(25ms);
  finish(1, 1, 10);
  pass(25ms);
  pass(10s);
  CAF_CHECK_EQUAL(children[1].sampled, 1u);
}

CAF_TEST(past the hard limit the job ends with its child) {
  start_ready(1, with_limits({0, 0, 5000}));
  run({1});
  tell(child_memory{1, 5000});
  CAF_CHECK(!children[1].killed);
  tell(child_memory{1, 5001});
  CAF_REQUIRE(children[1].killed);
  CAF_CHECK_EQUAL(children[1].killed_why,
                  "held 5001 KiB, more than worker_hard_max_memory_per_child "
                  "(5000 KiB)");
  die(1);
  CAF_CHECK_EQUAL(log.lost.size(), 1u);
  CAF_CHECK_EQUAL(children.size(), 2u);
}

CAF_TEST(an idle child is not killed for its memory but replaced) {
  start_ready(1, with_limits({0, 0, 5000}));
  run({1});
  finish(1, 1, 5001);
  tell(child_memory{1, 5001}); // asked for while it ran
  CAF_CHECK(!children[1].killed);
  hello(2);
  CAF_CHECK(children[1].stopped);
}

// -- what may happen meanwhile ------------------------------------------------------

CAF_TEST(a due child that dies is succeeded at once) {
  start_ready(1, with_limits({1, 0, 0}));
  run({1, 2});
  hello(2);
  die(1);
  CAF_REQUIRE_EQUAL(log.lost.size(), 1u);
  CAF_CHECK_EQUAL(children[2].jobs, ids{2});
  CAF_CHECK_EQUAL(children.size(), 3u); // the successor's successor
}

CAF_TEST(a successor that dies is replaced with backoff) {
  start_ready(1, with_limits({1, 0, 0}));
  run({1, 2});
  die(2);
  finish(1, 1);
  CAF_CHECK_EQUAL(children.size(), 2u);
  pass(10ms);
  CAF_REQUIRE_EQUAL(children.size(), 3u);
  hello(3);
  CAF_CHECK(children[1].stopped);
  CAF_CHECK_EQUAL(children[3].jobs, ids{2});
}

CAF_TEST(successors that always die end the pool) {
  start_ready(1, with_limits({1, 0, 0}));
  run({1});
  for (uint64_t id = 2; !ended && id < 100; ++id) {
    die(id);
    pass(2s);
  }
  finish(1, 1);
  die(1, "exit status 0");
  CAF_REQUIRE(ended);
  CAF_CHECK(end == supervision_errc::fatal);
}

CAF_TEST(one that does not go is killed after its grace period) {
  start_ready(1, with_limits({1, 0, 0}));
  run({1});
  hello(2);
  finish(1, 1);
  pass(grace - 1ms);
  CAF_CHECK(!children[1].killed);
  pass(1ms);
  CAF_CHECK(children[1].killed);
  CAF_CHECK(!children[2].killed);
}

CAF_TEST(a successor that does not come is killed and replaced) {
  start_ready(1, with_limits({1, 0, 0}));
  run({1, 2});
  finish(1, 1);
  pass(pool_options{}.alive);
  CAF_REQUIRE(children[2].killed);
  CAF_CHECK(!children[1].killed);
  die(2);
  pass(10ms);
  hello(3);
  CAF_CHECK_EQUAL(children[3].jobs, ids{2});
  CAF_CHECK(children[1].stopped);
}

CAF_TEST(children that do not go hold up their successors) {
  start_ready(1, with_limits({1, 0, 0}));
  for (uint64_t id = 1; id <= 3; ++id) {
    run({id});
    hello(id + 1);
    finish(id, id);
  }
  CAF_MESSAGE("three linger, one works");
  CAF_REQUIRE_EQUAL(children.size(), 4u);
  run({4});
  finish(4, 4);
  CAF_CHECK_EQUAL(children.size(), 4u);
  die(1, "exit status 0");
  CAF_REQUIRE_EQUAL(children.size(), 5u);
  hello(5);
  CAF_CHECK(children[4].stopped);
}

CAF_TEST(a pool that shrinks needs no successor for the one that goes) {
  start_ready(2, with_limits({2, 0, 0}));
  run({1, 2});
  finish(1, 1);
  run({3});
  CAF_REQUIRE_EQUAL(children.size(), 3u); // child 1 is at its last job
  hello(3);
  finish(1, 3);
  CAF_REQUIRE(children[1].stopped);
  tell(resize_pool{1, 9});
  CAF_CHECK(children[3].stopped);
  CAF_CHECK(!children[2].stopped);
  finish(2, 2);
  run({4});
  CAF_CHECK_EQUAL(children[2].jobs.size(), 2u);
}

CAF_TEST(a quiet pool replaces nobody) {
  start_ready(1, with_limits({1, 0, 0}));
  tell(quiet{});
  run({1});
  CAF_CHECK_EQUAL(children.size(), 1u);
}

// -- by remote control ------------------------------------------------------------

CAF_TEST(all children are replaced when they have ended what they run) {
  start_ready(2);
  run({1});
  tell(replace_children{});
  CAF_REQUIRE_EQUAL(children.size(), 4u);
  hello(3);
  hello(4);
  auto busy = children[1].jobs.empty() ? 2u : 1u;
  CAF_CHECK(!children[busy].stopped);
  CAF_CHECK(children[3 - busy].stopped);
  finish(busy, 1);
  CAF_CHECK(children[busy].stopped);
  CAF_CHECK(log.lost.empty());
  CAF_MESSAGE("once more, the new ones");
  die(1);
  die(2);
  tell(replace_children{});
  CAF_CHECK_EQUAL(children.size(), 6u);
}

CAF_TEST_FIXTURE_SCOPE_END()
