#define CAF_SUITE pool_supervisor

#include "tests/unit/pool/pool_fixture.hpp"

CAF_TEST_FIXTURE_SCOPE(pool_supervisor_tests, pool_fixture)

CAF_TEST(children are started with the consumer) {
  start(3);
  CAF_CHECK_EQUAL(children.size(), 3u);
  CAF_CHECK_EQUAL(log.ready, 0u);
  hello(2);
  hello(1);
  CAF_CHECK_EQUAL(log.ready, 1u);
}

CAF_TEST(jobs wait for a child that is ready) {
  start(1);
  run({1});
  CAF_CHECK(children[1].jobs.empty());
  hello(1);
  CAF_CHECK_EQUAL(children[1].jobs, ids{1});
  CAF_CHECK_EQUAL(log.started, ids{1});
}

CAF_TEST(an outcome is reported and the next job begins) {
  start_ready(1);
  run({1, 2});
  finish(1, 1);
  CAF_CHECK_EQUAL(log.done, ids{1});
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2}));
  CAF_CHECK_EQUAL(log.started, (ids{1, 2}));
}

CAF_TEST(a child that dies is replaced and its job is lost) {
  start_ready(2);
  run({1, 2});
  auto job = children[1].jobs.at(0);
  die(1);
  CAF_REQUIRE_EQUAL(log.lost.size(), 1u);
  CAF_CHECK_EQUAL(log.lost[0].first, job);
  CAF_CHECK_EQUAL(log.lost[0].second, "signal 9 (SIGKILL)");
  CAF_CHECK_EQUAL(children.size(), 3u);
  hello(3);
  run({3});
  CAF_CHECK_EQUAL(children[3].jobs, ids{3});
}

CAF_TEST(what a dead child never saw is not lost but run elsewhere) {
  start_ready(1);
  run({1});
  finish(1, 1);
  run({2, 3}, {1s, 2s});
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 2, 3}));
  die(1, "signal 9 (SIGKILL)", 1); // before these came, and nobody knew
  CAF_CHECK(log.lost.empty());
  pass(5s);
  CAF_MESSAGE("while they wait no time limit is over");
  CAF_CHECK(log.over.empty());
  hello(2);
  CAF_CHECK_EQUAL(children[2].jobs, (ids{2, 3}));
  CAF_MESSAGE("a child that may have seen the first of them has begun it");
  die(2, "signal 9 (SIGKILL)", 1);
  CAF_REQUIRE_EQUAL(log.lost.size(), 1u);
  CAF_CHECK_EQUAL(log.lost[0].first, 2u);
}

CAF_TEST(a fault of the child worker counts as the end of the child) {
  start_ready(1);
  run({1});
  caf::anon_send_exit(children[1].worker, caf::exit_reason::kill);
  consume_messages();
  CAF_REQUIRE_EQUAL(log.lost.size(), 1u);
  CAF_CHECK_EQUAL(children.size(), 2u);
}

CAF_TEST(a library that cannot be loaded ends the pool for good) {
  start(2);
  tell(child_failed{1, "libtasks.so: no such file"});
  die(1, "exit status 1");
  die(2, "exit status 1");
  CAF_REQUIRE(ended);
  CAF_CHECK(end == supervision_errc::fatal);
  CAF_CHECK_EQUAL(describe(end), "libtasks.so: no such file");
  CAF_CHECK_EQUAL(children.size(), 2u);
}

CAF_TEST(children that die before they work are replaced more and more slowly) {
  start_ready(1);
  die(1);
  CAF_CHECK_EQUAL(children.size(), 1u);
  pass(10ms);
  CAF_CHECK_EQUAL(children.size(), 2u);
  die(2);
  pass(19ms);
  CAF_CHECK_EQUAL(children.size(), 2u);
  pass(1ms);
  CAF_CHECK_EQUAL(children.size(), 3u);
}

CAF_TEST(an idle child that has worked is replaced at once) {
  start_ready(1);
  run({1});
  finish(1, 1);
  die(1);
  CAF_CHECK_EQUAL(children.size(), 2u);
}

CAF_TEST(an idle child that has lived long is replaced at once) {
  start_ready(3);
  pass(3s);
  for (uint64_t id = 1; id <= 3; ++id)
    die(id);
  CAF_CHECK_EQUAL(children.size(), 6u);
  CAF_CHECK(!ended);
}

CAF_TEST(by its backoff a child that cannot live ends the pool) {
  start(1);
  uint64_t last = 1;
  for (; !ended && last < 100; ++last) {
    die(last);
    pass(2s);
  }
  CAF_CHECK_EQUAL(last, 12u);
  CAF_REQUIRE(ended);
  CAF_CHECK(end == supervision_errc::fatal);
  CAF_CHECK_EQUAL(describe(end),
                  "children die before they have worked: 11 within 60 s, the "
                  "last with signal 9 (SIGKILL); the worker gives up");
}

CAF_TEST(one that has worked is replaced at once while others wait) {
  start_ready(3);
  run({1, 2});
  auto idle = children[1].jobs.empty() ? 1u : children[2].jobs.empty() ? 2u : 3u;
  die(idle);
  CAF_CHECK_EQUAL(children.size(), 3u);
  die(idle == 1u ? 2u : 1u);
  CAF_CHECK_EQUAL(children.size(), 4u);
  pass(10ms);
  CAF_CHECK_EQUAL(children.size(), 5u);
}

CAF_TEST(a child that never says that it is ready is killed) {
  start(2);
  hello(1);
  pass(pool_options{}.alive - 1ms);
  CAF_CHECK(!children[2].killed);
  pass(1ms);
  CAF_CHECK(children[2].killed);
  CAF_CHECK(!children[1].killed);
}

CAF_TEST(too many deaths without a job end the pool) {
  pool_options options;
  options.intensity = {2, 10s};
  options.backoff = {};
  start(1, options);
  for (uint64_t id = 1; id <= 3; ++id) {
    CAF_CHECK(!ended);
    hello(id);
    die(id);
  }
  CAF_REQUIRE(ended);
  CAF_CHECK(end == supervision_errc::fatal);
}

CAF_TEST(deaths that jobs cause do not end the pool) {
  pool_options options;
  options.intensity = {1, 10s};
  start(1, options);
  for (uint64_t id = 1; id <= 20; ++id) {
    hello(id);
    run({id});
    die(id);
  }
  CAF_CHECK(!ended);
  CAF_CHECK_EQUAL(children.size(), 21u);
}

CAF_TEST(a start that fails is tried again until the intensity is exceeded) {
  starts_fail = true;
  pool_options options;
  options.intensity = {3, 10s};
  options.backoff = {};
  start(1, options);
  CAF_CHECK(ended);
  CAF_CHECK(end == supervision_errc::fatal);
}

CAF_TEST(what is stuck behind a long job is recalled) {
  start_ready(2);
  // Teaches that noop is short.
  run({1});
  finish(1, 1);
  run({2, 3, 4, 5});
  auto stuck = children[1].jobs;
  CAF_REQUIRE(stuck.size() > 2);
  advance_time(20ms);
  consume_messages();
  CAF_CHECK(children[1].recalled);
}

CAF_TEST(a quiet pool begins nothing and gives all back) {
  start_ready(1);
  run({1, 2, 3});
  CAF_REQUIRE_EQUAL(children[1].jobs, ids{1});
  tell(quiet{});
  CAF_CHECK(children[1].recalled);
  CAF_CHECK_EQUAL(log.returned, (ids{3, 2}));
  finish(1, 1);
  run({4});
  CAF_CHECK_EQUAL(children[1].jobs, ids{1});
  CAF_CHECK_EQUAL(log.returned, (ids{3, 2, 4}));
}

CAF_TEST(a child that dies in a quiet pool is not replaced) {
  start_ready(2);
  run({1});
  tell(quiet{});
  tell(kill_job{1});
  die(1);
  CAF_REQUIRE_EQUAL(log.lost.size(), 1u);
  pass(1h);
  CAF_CHECK_EQUAL(children.size(), 2u);
  CAF_CHECK(!ended);
}

CAF_TEST(take back keeps the oldest) {
  start_ready(1);
  run({1, 2, 3, 4});
  tell(take_back{1});
  CAF_CHECK_EQUAL(log.returned, (ids{4, 3}));
}

CAF_TEST(the child of a job can be killed) {
  start_ready(2);
  run({1, 2});
  auto job = children[2].jobs.at(0);
  tell(kill_job{job});
  CAF_CHECK(children[2].killed);
  CAF_CHECK(!children[1].killed);
}

CAF_TEST(a pool that grows starts more children) {
  start_ready(1);
  tell(resize_pool{3, 9});
  CAF_CHECK_EQUAL(children.size(), 3u);
}

CAF_TEST(a pool that shrinks retires idle children and does not replace them) {
  start_ready(3);
  run({1});
  auto busy = children[1].jobs.empty() ? (children[2].jobs.empty() ? 3u : 2u)
                                       : 1u;
  tell(resize_pool{1, 9});
  for (uint64_t id = 1; id <= 3; ++id)
    CAF_CHECK_EQUAL(children[id].stopped, id != busy);
  for (uint64_t id = 1; id <= 3; ++id)
    if (id != busy)
      die(id, "exit status 0");
  CAF_CHECK_EQUAL(children.size(), 3u);
  run({2});
  finish(busy, 1);
  CAF_CHECK_EQUAL(children[busy].jobs, (ids{1, 2}));
}

CAF_TEST(a pool that is told to grow twice grows once) {
  start_ready(1);
  tell(resize_pool{3, 9});
  tell(resize_pool{3, 9});
  CAF_CHECK_EQUAL(children.size(), 3u);
  CAF_CHECK_EQUAL(log.capacities.back(), 4u);
  tell(resize_pool{9, 9});
  CAF_CHECK_EQUAL(log.capacities.back(), 9u);
}

CAF_TEST(a replacement that waits for its backoff is counted) {
  start_ready(2);
  die(1);
  tell(resize_pool{3, 9});
  CAF_CHECK_EQUAL(children.size(), 3u);
  pass(10ms);
  CAF_CHECK_EQUAL(children.size(), 4u);
  CAF_MESSAGE("and not started if the pool is smaller meanwhile");
  die(3);
  tell(resize_pool{2, 9});
  pass(10s);
  CAF_CHECK_EQUAL(children.size(), 4u);
}

CAF_TEST(busy children beyond the size retire when they are idle) {
  start_ready(2);
  run({1, 2, 3});
  tell(resize_pool{1, 9});
  CAF_CHECK(!children[1].stopped);
  CAF_CHECK(!children[2].stopped);
  auto first = children[1].jobs.at(0);
  finish(1, first);
  CAF_CHECK(children[1].stopped);
  finish(2, 3 - first);
  CAF_CHECK(!children[2].stopped);
  CAF_CHECK_EQUAL(children[2].jobs.back(), 3u);
}

CAF_TEST(a child that starts while the pool shrinks retires) {
  start_ready(1);
  tell(resize_pool{2, 9});
  run({1});
  tell(resize_pool{1, 9});
  hello(2);
  CAF_CHECK(children[2].stopped);
  CAF_CHECK(!children[1].stopped);
}

CAF_TEST(a pool of nobody starts one for a job and loses none) {
  start_ready(1);
  tell(resize_pool{0, 9});
  CAF_CHECK(children[1].stopped);
  run({1});
  CAF_CHECK_EQUAL(children[1].jobs, ids{});
  die(1, "exit status 0");
  CAF_CHECK_EQUAL(children.size(), 1u);
  tell(resize_pool{1, 9});
  hello(2);
  CAF_CHECK_EQUAL(children[2].jobs, ids{1});
}

CAF_TEST(shutdown stops the children and kills what does not end) {
  start_ready(2);
  caf::anon_send_exit(uut, caf::exit_reason::user_shutdown);
  consume_messages();
  CAF_CHECK(children[1].stopped);
  CAF_CHECK(children[2].stopped);
  CAF_CHECK(!ended);
  die(1, "exit status 0");
  CAF_CHECK(!ended);
  advance_time(2s);
  consume_messages();
  CAF_CHECK(children[2].killed);
  die(2);
  CAF_REQUIRE(ended);
  CAF_CHECK(end == caf::exit_reason::user_shutdown);
  CAF_CHECK_EQUAL(children.size(), 2u);
}

CAF_TEST(nothing begins after the lease has ended) {
  start_ready(1);
  tell(work_until{sched.clock().now() + 10s});
  run({1});
  CAF_CHECK_EQUAL(children[1].jobs, ids{1});
  run({2});
  CAF_MESSAGE("the process is stopped for a minute");
  sched.clock().current_time += 60s;
  finish(1, 1);
  CAF_CHECK_EQUAL(children[1].jobs, ids{1});
  tell(take_back{0});
  CAF_CHECK_EQUAL(log.returned, ids{2});
  CAF_MESSAGE("with a new lease it goes on");
  run({3});
  CAF_CHECK_EQUAL(children[1].jobs, ids{1});
  tell(work_until{sched.clock().now() + 10s});
  CAF_CHECK_EQUAL(children[1].jobs, (ids{1, 3}));
}

CAF_TEST_FIXTURE_SCOPE_END()
