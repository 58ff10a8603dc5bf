#define CAF_SUITE cooperative_worker

#include "actors/pool/cooperative_worker.hpp"

#include "protocol/task/task.hpp"

#include "tests/unit/dsl.hpp"
#include "tests/unit/task/simulated_runtime.hpp"

using namespace umbel;
using namespace umbel::literals;
using namespace std::chrono_literals;

namespace {

/// What the pool supervisor was told, in words.
struct told {
  size_t hellos = 0;
  size_t tasks = 0;
  std::vector<std::string> events;
};

std::string words(const char* what, const std::vector<uint64_t>& ids) {
  std::string to = what;
  for (auto id : ids)
    to += ' ' + std::to_string(id);
  return to;
}

caf::behavior recorder(caf::event_based_actor*, told* log) {
  return {
    [=](const child_hello& x) {
      ++log->hellos;
      log->tasks = x.tasks.size();
    },
    [=](const child_outcomes& x) {
      for (auto& one : x.outcomes)
        log->events.push_back(std::to_string(one.job) + ": " + one.summary);
    },
    [=](const child_state& x) {
      log->events.push_back("state of " + std::to_string(x.job));
    },
    [=](const child_returned& x) {
      log->events.push_back(words("returned", x.jobs));
    },
    [=](const child_exited& x) { log->events.push_back("exited: " + x.how); },
  };
}

struct fixture : test_coordinator_fixture<> {
  fixture() {
    tasks.task(
      "wait",
      [this](context& self, int ms) -> awaitable<int> {
        ++running;
        self.update_state("WAITING", {});
        try {
          co_await sleep_for(std::chrono::milliseconds{ms});
        } catch (const cancelled&) {
          ++given_up;
        }
        --running;
        co_return ms;
      },
      "ms"_a = 10);
    tasks.task(
      "plain", [](int x) { return x; }, "x"_a = 1);
    pool = sys.spawn(recorder, &log);
  }

  ~fixture() {
    for (auto& x : workers)
      caf::anon_send_exit(x, caf::exit_reason::kill);
    caf::anon_send_exit(pool, caf::exit_reason::kill);
    consume_messages();
    where.run_posted();
  }

  /// A child with its slot.
  caf::actor start(uint64_t id = 1) {
    auto slot = std::make_shared<cooperative_slot>(where, tasks, settings, pool,
                                                   id);
    workers.push_back(sys.spawn(cooperative_worker, pool, id, std::move(slot),
                                tasks.options()));
    consume_messages();
    return workers.back();
  }

  template <class T>
  void tell(const caf::actor& worker, T x) {
    caf::anon_send(worker, std::move(x));
    settle();
  }

  void settle() {
    consume_messages();
    where.run_posted();
    consume_messages();
  }

  void advance(std::chrono::milliseconds time) {
    where.advance(time);
    settle();
  }

  static child_jobs jobs(std::initializer_list<uint64_t> ids,
                         const std::string& task = "wait",
                         json::array args = {}) {
    child_jobs result;
    for (auto id : ids) {
      task_call call;
      call.task = task;
      call.args = args;
      result.jobs.push_back({id, task, std::make_shared<const std::string>(
                                         make_task_message(call))});
    }
    return result;
  }

  /// The events since the last call, without states.
  std::vector<std::string> events() {
    std::erase_if(log.events, [](auto& x) { return x.starts_with("state"); });
    return std::exchange(log.events, {});
  }

  simulated_runtime where;
  registry tasks;
  runner_settings settings;
  told log;
  int running = 0;
  int given_up = 0;
  caf::actor pool;
  std::vector<caf::actor> workers;
};

using list = std::vector<std::string>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(cooperative_worker_tests, fixture)

CAF_TEST(it says hello and runs its jobs one after another) {
  auto worker = start();
  CAF_CHECK_EQUAL(log.hellos, 1u);
  CAF_CHECK_EQUAL(log.tasks, 2u);
  tell(worker, jobs({1, 2}));
  CAF_CHECK_EQUAL(running, 1);
  CAF_CHECK_EQUAL(log.events, list{"state of 1"});
  advance(10ms);
  CAF_CHECK_EQUAL(events(), list{"1: 10"});
  CAF_CHECK_EQUAL(running, 1);
  advance(10ms);
  CAF_CHECK_EQUAL(events(), list{"2: 10"});
}

CAF_TEST(plain functions run too) {
  tell(start(), jobs({1, 2, 3}, "plain"));
  CAF_CHECK_EQUAL(events(), (list{"1: 1", "2: 1", "3: 1"}));
}

CAF_TEST(thousands wait at once) {
  constexpr uint64_t size = 3'000;
  for (uint64_t id = 1; id <= size; ++id)
    tell(start(id), jobs({id}, "wait", {1'000}));
  CAF_CHECK_EQUAL(running, int{size});
  CAF_CHECK_EQUAL(where.pending(), size);
  advance(999ms);
  CAF_CHECK(events().empty());
  advance(1ms);
  CAF_CHECK_EQUAL(events().size(), size);
  CAF_CHECK_EQUAL(running, 0);
}

CAF_TEST(a recall gives back what has not begun) {
  auto worker = start();
  tell(worker, jobs({1, 2, 3}));
  tell(worker, child_recall{});
  CAF_CHECK_EQUAL(events(), list{"returned 2 3"});
  tell(worker, jobs({4}));
  advance(10ms);
  advance(10ms);
  CAF_CHECK_EQUAL(events(), (list{"1: 10", "4: 10"}));
}

CAF_TEST(told to stop it ends with its current task) {
  auto worker = start();
  tell(worker, jobs({1, 2}));
  tell(worker, child_stop{});
  CAF_CHECK_EQUAL(events(), list{"returned 2"});
  advance(10ms);
  CAF_CHECK_EQUAL(events(), (list{"1: 10", "exited: exit status 0"}));
}

CAF_TEST(told to stop while idle it ends at once) {
  auto worker = start();
  tell(worker, child_stop{});
  CAF_CHECK_EQUAL(events(), (list{"returned", "exited: exit status 0"}));
}

CAF_TEST(told to end now it gives its task up) {
  auto worker = start();
  tell(worker, jobs({1, 2}));
  tell(worker, child_kill{});
  CAF_CHECK_EQUAL(events(), list{"exited: its task given up"});
  CAF_CHECK_EQUAL(given_up, 1);
  CAF_CHECK_EQUAL(running, 0);
  advance(1s);
  CAF_CHECK(events().empty());
  CAF_CHECK_EQUAL(where.pending(), 0u);
}

CAF_TEST(the soft time limit throws where the task waits) {
  tasks.task("patient", []() -> awaitable<std::string> {
    try {
      co_await sleep_for(1h);
    } catch (const soft_time_limit_exceeded&) {
      co_return "interrupted";
    }
    co_return "done";
  });
  auto worker = start();
  tell(worker, jobs({1}, "patient"));
  tell(worker, child_interrupt{2}); // another one
  CAF_CHECK(events().empty());
  tell(worker, child_interrupt{1});
  CAF_CHECK_EQUAL(events(), list{"1: 'interrupted'"});
}

CAF_TEST(whatever ends the worker ends its task) {
  auto worker = start();
  tell(worker, jobs({1}));
  caf::anon_send_exit(worker, caf::exit_reason::kill);
  settle();
  CAF_CHECK_EQUAL(given_up, 1);
  CAF_CHECK_EQUAL(where.pending(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
