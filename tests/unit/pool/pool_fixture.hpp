// A pool supervisor under the test coordinator, with children that only write
// down what they are told.
#pragma once

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
  std::vector<size_t> capacities;
  std::vector<std::pair<uint64_t, std::string>> lost;
  std::vector<std::pair<uint64_t, bool>> over; ///< true: the hard limit
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
    [=](const time_limit_over& x) { log->over.push_back({x.job, x.hard}); },
    [=](const job_lost& x) { log->lost.emplace_back(x.job, x.how); },
    [](const job_state&) {},
    [=](pool_capacity x) { log->capacities.push_back(x.children); },
  };
}

/// What one child was told.
struct child_log {
  caf::actor worker;
  std::vector<uint64_t> jobs;
  bool recalled = false;
  bool stopped = false;
  bool killed = false;
  std::string killed_why;
  size_t sampled = 0;
  std::vector<uint64_t> interrupted;
  std::vector<int> signals;
};

struct pool_fixture : test_coordinator_fixture<> {
  told log;
  std::map<uint64_t, child_log> children;
  bool starts_fail = false;
  caf::actor consumer;
  caf::actor uut;
  caf::error end;
  bool ended = false;

  pool_fixture() {
    consumer = sys.spawn(recorder, &log);
  }

  ~pool_fixture() {
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
        [=](const child_kill& x) {
          log->killed = true;
          log->killed_why = x.why;
        },
        [=](child_sample) { ++log->sampled; },
        [=](child_interrupt x) { log->interrupted.push_back(x.job); },
        [=](child_signal x) { log->signals.push_back(x.number); },
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

  void start_ready(size_t size, pool_options options = {}) {
    start(size, std::move(options));
    for (uint64_t id = 1; id <= size; ++id)
      hello(id);
  }

  void run(std::vector<uint64_t> ids, time_limits limits = {}) {
    run_jobs x;
    for (auto id : ids)
      x.jobs.push_back({id, "noop", nullptr, limits});
    tell(std::move(x));
  }

  /// @param memory of the child, KiB
  void finish(uint64_t child, uint64_t id, size_t memory = 0,
              std::chrono::microseconds runtime = 0us) {
    outcome x;
    x.job = id;
    x.runtime = runtime;
    tell(child_outcomes{child, {x}, memory});
  }

  /// The child's actor says its last word and ends.
  void die(uint64_t child, const std::string& how = "signal 9 (SIGKILL)",
           std::optional<uint64_t> seen = {}) {
    tell(child_exited{child, how, seen});
    caf::anon_send_exit(children[child].worker, caf::exit_reason::kill);
    consume_messages();
  }

  void pass(caf::timespan time) {
    advance_time(time);
    consume_messages();
  }
};

using ids = std::vector<uint64_t>;

} // namespace
