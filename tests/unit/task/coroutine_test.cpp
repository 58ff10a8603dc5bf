#define CAF_SUITE coroutine

#include "tests/unit/dsl.hpp"

#include "protocol/task/runner.hpp"
#include "protocol/task/task.hpp"

#include "tests/unit/task/simulated_runtime.hpp"

#include <atomic>
#include <thread>

using namespace umbel;
using namespace umbel::literals;
using namespace std::chrono_literals;

namespace {

struct silent_sink : state_sink {
  void state(uint64_t, std::string document) override {
    states.push_back(std::move(document));
  }

  void log(uint64_t, uint8_t, std::string_view text) override {
    lines.emplace_back(text);
  }

  std::vector<std::string> states;
  std::vector<std::string> lines;
};

/// Notes when it goes.
struct witness {
  explicit witness(std::string name, std::vector<std::string>& log)
      : name(std::move(name)), log(log) {
  }

  ~witness() {
    log.push_back("~" + name);
  }

  std::string name;
  std::vector<std::string>& log;
};

struct fixture {
  fixture() {
    settings.node = "celery@test";
  }

  static std::string message(const std::string& name, json::array args = {},
                             json::object kwargs = {}) {
    task_call call;
    call.id = "id-1";
    call.task = name;
    call.args = std::move(args);
    call.kwargs = std::move(kwargs);
    return make_task_message(call);
  }

  /// Starts one call; its outcome is in `result` when it has ended.
  void start(const std::string& name, json::array args = {},
             json::object kwargs = {}) {
    result.reset();
    // The text must not be needed while the task waits.
    auto text = std::make_unique<std::string>(message(name, args, kwargs));
    uut = std::make_unique<task_runner>(app, settings, where);
    result = uut->start(7, *text, sink, [this](outcome x) { result = x; });
  }

  /// On an event loop of its own, as in a child process.
  outcome run(const std::string& name, json::array args = {},
              json::object kwargs = {}) {
    return task_runner{app, settings}.run(7, message(name, args, kwargs), sink);
  }

  simulated_runtime where;
  registry app;
  runner_settings settings;
  silent_sink sink;
  std::unique_ptr<task_runner> uut;
  std::optional<outcome> result;
  std::vector<std::string> log;
};

awaitable<int> later(int x, std::chrono::milliseconds time = 10ms) {
  co_await sleep_for(time);
  co_return x;
}

awaitable<int> at_once(int x) {
  co_return x;
}

awaitable<> fail_later(std::string text) {
  co_await sleep_for(10ms);
  throw std::invalid_argument(text);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(coroutine_tests, fixture)

CAF_TEST(a coroutine is a task) {
  app.task("later", [](int x) { return later(x); }, "x");
  start("later", {3});
  CAF_CHECK(!result);
  CAF_CHECK_EQUAL(where.pending(), 1u);
  where.advance(9ms);
  CAF_CHECK(!result);
  where.advance(1ms);
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "3");
  CAF_CHECK_EQUAL(result->job, 7u);
  CAF_CHECK_EQUAL(where.pending(), 0u);
}

CAF_TEST(one that does not wait ends at once) {
  app.task("at_once", at_once, "x");
  start("at_once", {3});
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "3");
}

CAF_TEST(a thread of its own drives it to its end) {
  app.task("later", later, "x", "time"_a = 0.001);
  CAF_CHECK_EQUAL(run("later", {3}).summary, "3");
  app.task("none", [](std::string) -> awaitable<> {
    co_await sleep_for(1ms);
  }, "x");
  CAF_CHECK_EQUAL(run("none", {"x"}).summary, "None");
}

CAF_TEST(what it takes by reference lives as long as it) {
  app.task(
      "all",
      [](context& self, const std::string& text, std::string_view view,
         const std::vector<std::string>& list, std::string&& moved,
         const json::value& any, const std::string& fallback, const varargs& more,
         const kwargs& named) -> awaitable<std::string> {
        co_await sleep_for(10ms);
        auto id = self.id();
        co_await sleep_for(10ms);
        co_return id + text + std::string{view} + list.at(1) + moved
            + json::serialize(any) + fallback + json::serialize(more.values)
            + json::serialize(named.values);
      },
      "text", "view", "list", "moved", "any",
      "fallback"_a = "a default that is too long for any small string");
  std::string longer = " and so long that it is on the heap";
  start("all",
        {"text" + longer, "view" + longer,
         json::array{"0" + longer, "1" + longer}, "moved" + longer,
         json::array{"any"}},
        {{"key", "value" + longer}});
  CAF_REQUIRE(!result);
  where.advance(1s);
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary,
                  "'id-1text" + longer + "view" + longer + "1" + longer
                      + "moved" + longer
                      + R"(["any"]a default that is too long for any small string)"
                      + R"([]{"key":"value)" + longer + R"("}')");
}

CAF_TEST(a lambda keeps what it has captured) {
  app.task("captures",
           [text = std::string(100, 'x')]() -> awaitable<size_t> {
             co_await sleep_for(10ms);
             co_return text.size();
           });
  start("captures");
  where.advance(10ms);
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "100");
}

CAF_TEST(a call that does not fit never begins) {
  app.task("later", later, "x", "time"_a = 0.001);
  start("later", {"text"});
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary,
                  R"(TypeError("later() argument 'x' must be int, not str"))");
}

CAF_TEST(exceptions pass through every await) {
  app.task("deep", []() -> awaitable<> {
    try {
      co_await fail_later("inner");
    } catch (const std::invalid_argument& x) {
      // It may wait in a later await, but not in a handler: C++ forbids it.
      std::throw_with_nested(std::runtime_error("outer"));
    }
  });
  start("deep");
  where.advance(10ms);
  CAF_REQUIRE(result);
  CAF_CHECK(result->kind == outcome_kind::failure);
  CAF_CHECK_EQUAL(result->summary, "RuntimeError('outer')");
  CAF_CHECK(result->traceback.find("inner") != std::string::npos);
}

CAF_TEST(retry reject ignore and progress work as in a function) {
  app.task("flaky", [](context& self) -> awaitable<int64_t> {
    self.update_state("PROGRESS", {{"current", 1}});
    co_await sleep_for(10ms);
    if (self.retries() == 0)
      self.retry({.countdown = 0s});
    co_return self.retries();
  });
  app.task("reject", [](context& self) -> awaitable<> {
    co_await sleep_for(10ms);
    self.reject("no", true);
  });
  app.task("ignore", [](context& self) -> awaitable<> {
    co_await sleep_for(10ms);
    self.ignore();
  });
  app.task("auto", [] { return fail_later("x"); })
      .autoretry_for<std::invalid_argument>();
  auto kind = [&](const char* name) {
    start(name);
    CAF_REQUIRE(!result);
    where.advance(10ms);
    CAF_REQUIRE(result);
    return result->kind;
  };
  CAF_CHECK(kind("flaky") == outcome_kind::retry);
  CAF_CHECK_EQUAL(sink.states.size(), 1u);
  CAF_CHECK(kind("reject") == outcome_kind::requeue);
  CAF_CHECK(kind("ignore") == outcome_kind::ignore);
  CAF_CHECK(kind("auto") == outcome_kind::retry);
}

CAF_TEST(each of several on one thread has its own context) {
  app.task(
      "who",
      [](context& self, int time) -> awaitable<bool> {
        auto same = context::current() == &self;
        co_await sleep_for(std::chrono::milliseconds{time});
        log_info("{}", time);
        co_return same && context::current() == &self;
      },
      "time");
  std::vector<outcome> ended;
  std::vector<std::unique_ptr<task_runner>> runners;
  for (auto time : {30, 10, 20}) {
    runners.push_back(std::make_unique<task_runner>(app, settings, where));
    auto x = runners.back()->start(time, message("who", {time}), sink,
                                   [&](outcome y) { ended.push_back(y); });
    CAF_REQUIRE(!x);
    CAF_CHECK(context::current() == nullptr);
  }
  where.advance(30ms);
  CAF_REQUIRE_EQUAL(ended.size(), 3u);
  for (auto& x : ended)
    CAF_CHECK_EQUAL(x.summary, "True");
  CAF_CHECK_EQUAL(ended.front().job, 10u);
  CAF_CHECK_EQUAL(sink.lines, (std::vector<std::string>{"10", "20", "30"}));
  CAF_CHECK(context::current() == nullptr);
}

CAF_TEST(when_all runs them at the same time) {
  app.task("sum", []() -> awaitable<std::vector<int>> {
    std::vector<awaitable<int>> all;
    for (int i = 0; i < 3; ++i)
      all.push_back(later(i, std::chrono::milliseconds{30 - 10 * i}));
    all.push_back(at_once(3));
    co_return co_await when_all(std::move(all));
  });
  start("sum");
  CAF_CHECK_EQUAL(where.pending(), 3u);
  where.advance(29ms);
  CAF_CHECK(!result);
  where.advance(1ms);
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "[0, 1, 2, 3]");
}

CAF_TEST(when_all waits for the others when one has failed) {
  app.task("mixed", [this]() -> awaitable<> {
    std::vector<awaitable<>> all;
    all.push_back(fail_later("first"));
    all.push_back([](std::vector<std::string>& log) -> awaitable<> {
      co_await sleep_for(20ms);
      log.push_back("second ended");
    }(log));
    co_await when_all(std::move(all));
  });
  start("mixed");
  where.advance(10ms);
  CAF_CHECK(!result);
  where.advance(10ms);
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "ValueError('first')");
  CAF_CHECK_EQUAL(log.size(), 1u);
}

CAF_TEST(when_all of nothing and of what does not wait ends at once) {
  app.task("nothing", []() -> awaitable<size_t> {
    auto none = co_await when_all(std::vector<awaitable<int>>{});
    std::vector<awaitable<int>> all;
    all.push_back(at_once(1));
    auto one = co_await when_all(std::move(all));
    co_return none.size() + one.size();
  });
  start("nothing");
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "1");
}

CAF_TEST(a million awaits that do not wait need no stack) {
  app.task("loop", []() -> awaitable<int64_t> {
    int64_t sum = 0;
    for (int i = 0; i < 1'000'000; ++i)
      sum += co_await at_once(1);
    co_return sum;
  });
  start("loop");
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "1000000");
}

CAF_TEST(the soft time limit throws where it waits) {
  app.task("long", [this]() -> awaitable<std::string> {
    witness w{"frame", log};
    try {
      co_await sleep_for(1h);
    } catch (const soft_time_limit_exceeded&) {
      log.push_back("soft");
    }
    co_await sleep_for(1ms); // the clean-up may wait again
    co_return "cleaned up";
  });
  start("long");
  uut->interrupt(6); // another run
  where.run_posted();
  CAF_CHECK(log.empty());
  uut->interrupt(7);
  where.run_posted();
  CAF_CHECK_EQUAL(log, std::vector<std::string>{"soft"});
  CAF_CHECK_EQUAL(where.pending(), 1u);
  where.advance(1ms);
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "'cleaned up'");
}

CAF_TEST(a limit that is over before it waits is thrown at the wait) {
  app.task("busy", [this]() -> awaitable<> {
    uut->interrupt(7);
    co_await sleep_for(1h);
  });
  start("busy");
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "SoftTimeLimitExceeded()");
  where.run_posted();
}

CAF_TEST(the soft time limit throws in every wait below a when_all) {
  app.task("many", []() -> awaitable<int> {
    auto one = []() -> awaitable<int> {
      try {
        co_await sleep_for(1h);
      } catch (const soft_time_limit_exceeded&) {
        co_return 1;
      }
      co_return 0;
    };
    std::vector<awaitable<int>> all;
    for (int i = 0; i < 3; ++i)
      all.push_back(one());
    int sum = 0;
    for (auto x : co_await when_all(std::move(all)))
      sum += x;
    co_return sum;
  });
  start("many");
  uut->interrupt(7);
  where.run_posted();
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "3");
}

CAF_TEST(limits of plain functions leave nothing behind) {
  app.task("plain", [this] { uut->interrupt(7); });
  app.task("later", [](int x) { return later(x); }, "x");
  start("plain");
  for (auto i = 0; i < 10; ++i)
    uut->start(7, message("plain"), sink, {});
  CAF_CHECK_EQUAL(where.posted(), 1u);
  result = uut->start(7, message("later", {3}), sink,
                      [this](outcome x) { result = x; });
  where.run_posted();
  CAF_CHECK(!result);
  uut->interrupt(7);
  where.run_posted();
  CAF_REQUIRE(result);
  CAF_CHECK(result->kind == outcome_kind::failure);
}

CAF_TEST(a limit interrupts one that a thread of its own drives) {
  std::atomic<bool> begun = false;
  app.task("long", [&]() -> awaitable<> {
    begun = true;
    co_await sleep_for(1h);
  });
  task_runner runner{app, settings};
  std::thread other{[&] {
    while (!begun)
      std::this_thread::yield();
    runner.interrupt(7);
  }};
  auto x = runner.run(7, message("long"), sink);
  other.join();
  CAF_CHECK_EQUAL(x.summary, "SoftTimeLimitExceeded()");
}

CAF_TEST(one that is given up may clean up but not wait) {
  app.task("long", [this]() -> awaitable<> {
    witness outer{"outer", log};
    try {
      co_await [](std::vector<std::string>& log) -> awaitable<> {
        witness inner{"inner", log};
        co_await sleep_for(1h);
      }(log);
    } catch (const std::exception&) {
      log.push_back("no exception of the standard library");
    } catch (const cancelled&) {
      log.push_back("cancelled");
    }
    co_await sleep_for(1ms);
    log.push_back("never");
  });
  start("long");
  uut->cancel();
  CAF_CHECK_EQUAL(log, (std::vector<std::string>{"~inner", "cancelled",
                                                 "~outer"}));
  where.advance(1h);
  CAF_CHECK(!result);
  CAF_CHECK_EQUAL(where.pending(), 0u);
  CAF_CHECK_EQUAL(log.size(), 3u);
}

CAF_TEST(one that ends when it is given up ends in silence) {
  app.task("short", []() -> awaitable<> { co_await sleep_for(1h); });
  start("short");
  uut->cancel();
  CAF_CHECK(!result);
  uut->cancel();
  start("short");
  uut.reset();
  CAF_CHECK(!result);
  CAF_CHECK_EQUAL(where.pending(), 0u);
}

CAF_TEST(a runner goes on with its next task from within the end of one) {
  app.task("later", later, "x", "time"_a = 0.01);
  task_runner runner{app, settings, where};
  std::vector<std::string> ends;
  std::function<void(outcome)> next = [&](outcome x) {
    ends.push_back(x.summary);
    if (ends.size() < 3)
      CAF_CHECK(!runner.start(8, message("later", {int(ends.size())}), sink,
                              next));
  };
  CAF_CHECK(!runner.start(7, message("later", {0}), sink, next));
  where.advance(1s);
  CAF_CHECK_EQUAL(ends, (std::vector<std::string>{"0", "1", "2"}));
}

CAF_TEST_FIXTURE_SCOPE_END()
