#define CAF_SUITE eager

#include "tests/unit/dsl.hpp"
#include "tests/unit/task/call_of.hpp"
#include "tests/unit/task/recording_sink.hpp"
#include "tests/unit/task/simulated_runtime.hpp"

#include "protocol/task/runner.hpp"
#include "protocol/task/task.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct fixture {
  fixture() {
    settings.task_always_eager = true;
  }

  /// Runs "caller" to its end.
  outcome run() {
    std::optional<outcome> end;
    task_runner runner{app, settings, where};
    end = runner.start(7, make_task_message(call_of("caller", "id-1")),
                       sink, [&](outcome x) { end = std::move(x); });
    where.advance(1h);
    CAF_REQUIRE(end.has_value());
    return std::move(*end);
  }

  simulated_runtime where;
  registry app;
  runner_settings settings;
  recording_sink sink;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(eager_tests, fixture)

CAF_TEST(a called task runs where it stands) {
  app.task("add", [](int x, int y) { return x + y; });
  app.task("slow", [](int x) -> awaitable<int> {
    co_await sleep_for(1min);
    co_return co_await call<int>("add", x, x);
  });
  app.task("caller", []() -> awaitable<int> {
    co_return co_await call<int>("slow", 4);
  });
  auto end = run();
  CAF_CHECK_EQUAL(end.summary, "8");
  CAF_CHECK(where.calls.empty());
  CAF_CHECK(end.publish.empty());
  CAF_CHECK(end.workflow.results.empty());
}

CAF_TEST(its exception is thrown and its retries are at once) {
  app.task("flaky", [](context& self) {
    if (self.retries() < 2)
      self.retry({.countdown = 24h});
    throw exception("KeyError", {self.retries()});
  });
  app.task("caller", []() -> awaitable<> { co_await call<void>("flaky"); });
  CAF_CHECK_EQUAL(run().summary, "KeyError(2)");
}

CAF_TEST(one that is not registered is an error as ever) {
  app.task("caller", []() -> awaitable<> { co_await call<void>("nowhere"); });
  CAF_CHECK_EQUAL(run().summary, "NotRegistered('nowhere')");
}

CAF_TEST(what it starts and its result go out with the caller) {
  settings.task_store_eager_result = true;
  app.task("inner", [](context& self) {
    self.start({.task = "later"});
    return 5;
  });
  app.task("caller", []() -> awaitable<int> {
    co_return co_await call<int>("inner");
  });
  auto end = run();
  CAF_REQUIRE_EQUAL(end.publish.size(), 1u);
  auto later = parse_task_message(end.publish[0].payload).value();
  CAF_CHECK_EQUAL(later.header.task, "later");
  CAF_REQUIRE_EQUAL(end.workflow.results.size(), 1u);
  auto& stored = end.workflow.results[0];
  auto document = parse_json(stored.document)->as_object();
  CAF_CHECK_EQUAL(document["task_id"].as_string(), stored.id.str());
  CAF_CHECK_EQUAL(document["result"].as_int64(), 5);
}

CAF_TEST(an ignored result is none) {
  app.task("quiet", [] { return 5; }).ignore_result();
  app.task("caller", []() -> awaitable<json::value> {
    co_return co_await call("quiet");
  });
  CAF_CHECK_EQUAL(run().summary, "None");
}

CAF_TEST(it is given up with the caller) {
  auto alive = std::make_shared<int>(1);
  app.task("endless", [alive](context&) -> awaitable<> {
    auto held = alive;
    co_await sleep_for(24h);
  });
  app.task("caller", []() -> awaitable<> { co_await call<void>("endless"); });
  auto before = alive.use_count();
  {
    task_runner runner{app, settings, where};
    runner.start(7, make_task_message(call_of("caller", "id-1")), sink,
                 [](outcome) {});
    where.run_posted();
    CAF_CHECK_EQUAL(where.pending(), 1u);
    CAF_CHECK(alive.use_count() > before);
    runner.cancel();
  }
  CAF_CHECK_EQUAL(where.pending(), 0u);
  CAF_CHECK_EQUAL(alive.use_count(), before);
}

CAF_TEST_FIXTURE_SCOPE_END()
