#define CAF_SUITE call

#include "tests/unit/dsl.hpp"

#include "protocol/task/runner.hpp"
#include "protocol/task/task.hpp"

#include "tests/unit/task/simulated_runtime.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct silent_sink : state_sink {
  void state(uint64_t, std::string) override {
  }

  void log(uint64_t, uint8_t, std::string_view) override {
  }
};

struct fixture {
  fixture() {
    caller.task = "caller";
    caller.id = "id-1";
    caller.root_id = "root-1";
  }

  /// Starts the task `f`; its outcome is in `result` when it has ended.
  template <class F>
  void start(F f) {
    app.task("caller", std::move(f));
    result = runner.start(1, make_task_message(caller), sink,
                          [this](outcome x) { result = std::move(x); });
  }

  /// How the task ends when the other one has ended so.
  template <class F>
  std::string after(F f, expected<std::string> document) {
    where.document = std::move(document);
    start(std::move(f));
    where.advance(1ms);
    CAF_REQUIRE(result);
    return result->summary;
  }

  task_message sent() const {
    CAF_REQUIRE_EQUAL(where.calls.size(), 1u);
    return *parse_task_message(where.calls.front().payload);
  }

  simulated_runtime where;
  registry app;
  runner_settings settings = [] {
    runner_settings result;
    result.node = "celery@test";
    result.routing = std::make_shared<const routing>(
      routing{.default_queue = "standard"});
    return result;
  }();
  silent_sink sink;
  task_call caller;
  task_runner runner{app, settings, where};
  std::optional<outcome> result;
};

awaitable<int> add(int x, int y) {
  co_return co_await call<int>("tasks.add", x, y);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(call_tests, fixture)

CAF_TEST(the message is that of a child) {
  start([]() -> awaitable<> {
    json::object kwargs{{"key", 1}};
    co_await call<void>("tasks.add", 4, "text")
        .kwargs(kwargs)
        .queue("other")
        .priority(7);
  });
  CAF_CHECK_EQUAL(where.calls.front().queue.str(), "other");
  CAF_CHECK_EQUAL(where.calls.front().priority, 7);
  auto x = sent();
  CAF_CHECK_EQUAL(x.header.task, "tasks.add");
  CAF_CHECK_EQUAL(x.header.parent_id, "id-1");
  CAF_CHECK_EQUAL(x.header.root_id, "root-1");
  CAF_CHECK_EQUAL(json::serialize(x.args), R"([4,"text"])");
  CAF_CHECK_EQUAL(json::serialize(x.kwargs), R"({"key":1})");
}

CAF_TEST(without a queue it goes to the standard one) {
  start([] { return add(1, 2); });
  CAF_CHECK_EQUAL(where.calls.front().queue.str(), "standard");
}

CAF_TEST(its result is the value) {
  CAF_CHECK_EQUAL(after([] { return add(4, 4); },
                        R"({"status": "SUCCESS", "result": 8})"),
                  "8");
}

CAF_TEST(a result of another type is a TypeError) {
  CAF_CHECK_EQUAL(after([] { return add(4, 4); },
                        R"({"status": "SUCCESS", "result": "8"})"),
                  "TypeError('result of tasks.add must be int, not str')");
}

CAF_TEST(its exception is thrown with its type) {
  auto document = R"({"status": "FAILURE", "result": {"exc_type": "KeyError",
                      "exc_message": ["colour"], "exc_module": "builtins"}})";
  CAF_CHECK_EQUAL(after([] { return add(4, 4); }, document),
                  "KeyError('colour')");
}

CAF_TEST(a revoked one and documents that say nothing) {
  auto document = R"({"status": "REVOKED", "result": {"exc_type":
                      "TaskRevokedError", "exc_message": "revoked",
                      "exc_module": "celery.exceptions"}})";
  CAF_CHECK_EQUAL(after([] { return add(4, 4); }, document),
                  "TaskRevokedError('revoked')");
}

CAF_TEST(documents that say nothing) {
  CAF_CHECK_EQUAL(after([] { return add(4, 4); }, R"({"status": "FAILURE"})"),
                  "Exception()");
}

CAF_TEST(no result store is an error that can be caught) {
  CAF_CHECK_EQUAL(after([] { return add(4, 4); },
                        error{errc::unsupported, "no result store"}),
                  "OperationalError('no result store')");
}

CAF_TEST(a timeout ends the wait and only that) {
  where.call_takes = 1h;
  start([]() -> awaitable<> {
    co_await call<void>("tasks.sleep", 3600).timeout(10ms);
  });
  where.advance(9ms);
  CAF_CHECK(!result);
  where.advance(1ms);
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary,
                  "TimeoutError('no result of tasks.sleep in time')");
  CAF_CHECK_EQUAL(where.pending(), 0u);
}

CAF_TEST(a timeout of one does not disturb the next in the same expression) {
  where.document = R"({"status": "SUCCESS", "result": 1})";
  where.call_takes = 10ms;
  start([]() -> awaitable<int> {
    auto sum = [](int x, int y) { return x + y; };
    co_return sum(co_await call<int>("one").timeout(15ms),
                  co_await call<int>("two").timeout(15ms));
  });
  where.advance(1s);
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "2");
}

CAF_TEST(given up it waits no more) {
  where.call_takes = 1h;
  start([] { return add(1, 2); });
  CAF_CHECK_EQUAL(where.pending(), 1u);
  runner.cancel();
  CAF_CHECK_EQUAL(where.pending(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
