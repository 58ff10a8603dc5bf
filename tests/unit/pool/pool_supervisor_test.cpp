#define CAF_SUITE pool_supervisor

#include "actors/pool/pool_supervisor.hpp"

#include "actors/supervision/supervision_errc.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// What the consumer was told.
struct told {
  size_t ready = 0;
  std::vector<uint64_t> done;
  std::vector<uint64_t> started;
  std::vector<uint64_t> returned;
  std::vector<std::pair<uint64_t, std::string>> lost;
};

caf::behavior recorder(caf::event_based_actor*, told* log) {
  return {
    [=](const pool_ready&) { ++log->ready; },
    [=](const pool_report& x) {
      for (auto& one : x.outcomes)
        log->done.push_back(one.job);
      log->started.insert(log->started.end(), x.started.begin(),
                          x.started.end());
    },
    [=](const jobs_returned& x) {
      log->returned.insert(log->returned.end(), x.jobs.begin(), x.jobs.end());
    },
    [=](const job_lost& x) { log->lost.emplace_back(x.job, x.how); },
    [](const job_state&) {},
  };
}

/// What one child was told.
struct child_log {
  caf::actor worker;
  std::vector<uint64_t> jobs;
  bool recalled = false;
  bool stopped = false;
  bool killed = false;
};

struct fixture : test_coordinator_fixture<> {
  told log;
  std::map<uint64_t, child_log> children;
  bool starts_fail = false;
  caf::actor consumer;
  caf::actor uut;
  caf::error end;
  bool ended = false;

  fixture() {
    consumer = sys.spawn(recorder, &log);
  }

  ~fixture() {
    caf::anon_send_exit(uut, caf::exit_reason::kill);
    caf::anon_send_exit(consumer, caf::exit_reason::kill);
    for (auto& [id, x] : children)
      caf::anon_send_exit(x.worker, caf::exit_reason::kill);
    consume_messages();
  }

  caf::expected<caf::actor> make_child(caf::local_actor* parent, uint64_t id) {
    if (starts_fail)
      return caf::make_error(supervision_errc::start_failed, "no such file");
    auto log = &children[id];
    log->worker = parent->spawn([=](caf::event_based_actor*) -> caf::behavior {
      return {
        [=](const child_jobs& x) {
          for (auto& one : x.jobs)
            log->jobs.push_back(one.id);
        },
        [=](child_recall) { log->recalled = true; },
        [=](child_stop) { log->stopped = true; },
        [=](child_kill) { log->killed = true; },
      };
    });
    return log->worker;
  }

  void start(size_t size, pool_options options = {}) {
    options.size = size;
    options.start = [this](caf::local_actor* parent, const caf::actor&,
                           uint64_t id) { return make_child(parent, id); };
    uut = sys.spawn(pool_supervisor, std::move(options));
    uut->attach_functor([this](const caf::error& x) {
      end = x;
      ended = true;
    });
    tell(attach_consumer{consumer});
  }

  template <class T>
  void tell(T x) {
    caf::anon_send(uut, std::move(x));
    consume_messages();
  }

  void hello(uint64_t child) {
    task_options task;
    task.name = "noop";
    tell(child_hello{child, {task}});
  }

  void start_ready(size_t size) {
    start(size);
    for (uint64_t id = 1; id <= size; ++id)
      hello(id);
  }

  void run(std::vector<uint64_t> ids) {
    run_jobs x;
    for (auto id : ids)
      x.jobs.push_back({id, "noop", nullptr});
    tell(std::move(x));
  }

  void finish(uint64_t child, uint64_t id) {
    outcome x;
    x.job = id;
    tell(child_outcomes{child, {x}});
  }

  /// The child's actor says its last word and ends.
  void die(uint64_t child, const std::string& how = "signal 9 (SIGKILL)") {
    tell(child_exited{child, how});
    caf::anon_send_exit(children[child].worker, caf::exit_reason::kill);
    consume_messages();
  }
};

using ids = std::vector<uint64_t>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(pool_supervisor_tests, fixture)

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

CAF_TEST(children that die without a job are replaced more and more slowly) {
  start_ready(1);
  die(1);
  CAF_CHECK_EQUAL(children.size(), 1u);
  advance_time(100ms);
  consume_messages();
  CAF_CHECK_EQUAL(children.size(), 2u);
  die(2);
  advance_time(100ms);
  consume_messages();
  CAF_CHECK_EQUAL(children.size(), 2u);
  advance_time(100ms);
  consume_messages();
  CAF_CHECK_EQUAL(children.size(), 3u);
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
  CAF_CHECK(end == supervision_errc::intensity_exceeded);
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
  CAF_CHECK(end == supervision_errc::intensity_exceeded);
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
  tell(resize_pool{3});
  CAF_CHECK_EQUAL(children.size(), 3u);
}

CAF_TEST(a pool that shrinks retires idle children and does not replace them) {
  start_ready(3);
  run({1});
  auto busy = children[1].jobs.empty() ? (children[2].jobs.empty() ? 3u : 2u)
                                       : 1u;
  tell(resize_pool{1});
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

CAF_TEST_FIXTURE_SCOPE_END()
