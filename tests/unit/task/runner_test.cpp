#define CAF_SUITE runner

#include "tests/unit/dsl.hpp"
#include "tests/unit/task/recording_sink.hpp"

#include "protocol/task/runner.hpp"
#include "protocol/task/task.hpp"

#include <thread>

#include <unistd.h>

using namespace umbel;
using namespace umbel::literals;
using namespace std::chrono_literals;

namespace {

struct transient : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A result whose conversion fails.
struct unlucky {
  friend void tag_invoke(json::value_from_tag, json::value&, const unlucky&) {
    throw std::invalid_argument("no JSON");
  }
};

struct fixture {
  /// Runs one call of the task `name`.
  outcome run(const std::string& name, json::array args = {},
              json::object kwargs = {}) {
    call.task = name;
    call.args = std::move(args);
    call.kwargs = std::move(kwargs);
    return task_runner{app, settings}.run(7, make_task_message(call), sink);
  }

  /// The document of the last `run` that is given.
  static json::object document(const outcome& x) {
    return parse_json(x.document)->as_object();
  }

  static task_message published(const outcome& x) {
    return *parse_task_message(x.publish.at(0).payload);
  }

  fixture() {
    call.id = "id-1";
    settings.node = "celery@test";
  }

  registry app;
  runner_settings settings;
  recording_sink sink;
  task_call call;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(runner_tests, fixture)

CAF_TEST(anything callable is a task) {
  struct functor {
    int operator()(int x) const {
      return 3 * x;
    }
  };
  std::function<int(int)> stored = [](int x) { return 5 * x; };
  app.task(
      "plain", +[](int x) { return 2 * x; }, "x");
  app.task("functor", functor{}, "x");
  app.task("stored", stored, "x");
  app.task(
      "lambda", [n = 7](int x) mutable { return n * x; }, "x");
  app.task("unnamed", [](int x, int y) { return x + y; });
  app.task(
      "moves", [](std::vector<int>&& x) { return x.size(); }, "x");
  app.task(
      "safe", [](int x) noexcept { return x; }, "x");
  CAF_CHECK_EQUAL(run("plain", {1}).summary, "2");
  CAF_CHECK_EQUAL(run("functor", {1}).summary, "3");
  CAF_CHECK_EQUAL(run("stored", {1}).summary, "5");
  CAF_CHECK_EQUAL(run("lambda", {1}).summary, "7");
  CAF_CHECK_EQUAL(run("unnamed", {1}, {{"arg2", 4}}).summary, "5");
  CAF_CHECK_EQUAL(run("moves", {json::array{1, 2}}).summary, "2");
  CAF_CHECK_EQUAL(run("safe", {1}).summary, "1");
}

CAF_TEST(success has a document) {
  app.task(
      "tasks.add", [](int x, int y) { return x + y; }, "x", "y"_a = 10);
  auto result = run("tasks.add", {4});
  CAF_CHECK(result.kind == outcome_kind::success);
  CAF_CHECK_EQUAL(result.job, 7u);
  CAF_CHECK_EQUAL(result.summary, "14");
  auto found = document(result);
  CAF_CHECK(found["date_done"].is_string());
  found["date_done"] = "then";
  CAF_CHECK_EQUAL(json::serialize(found),
                  R"({"status":"SUCCESS","result":14,"traceback":null,)"
                  R"("children":[],"date_done":"then","task_id":"id-1"})");
  CAF_CHECK(result.publish.empty());
}

CAF_TEST(a task that has expired is not run) {
  auto ran = false;
  app.task("late", [&] { ran = true; });
  call.expires = now();
  auto result = run("late");
  CAF_CHECK(!ran);
  CAF_CHECK(result.kind == outcome_kind::revoked);
  auto found = document(result);
  CAF_CHECK_EQUAL(found["status"].as_string(), "REVOKED");
  CAF_CHECK_EQUAL(found["result"].as_object()["exc_type"].as_string(),
                  "TaskRevokedError");
  CAF_CHECK(found["date_done"].is_string());
}

CAF_TEST(varargs and kwargs and optional parameters) {
  app.task(
      "all",
      [](int x, std::optional<std::string> y, varargs rest, kwargs named) {
        return json::array{x, y.value_or("none"), rest.values, named.values};
      },
      "x", "y");
  CAF_CHECK_EQUAL(run("all", {1}).summary, "[1, 'none', [], {}]");
  CAF_CHECK_EQUAL(run("all", {1, nullptr, 3}, {{"k", 4}}).summary,
                  "[1, 'none', [3], {'k': 4}]");
}

CAF_TEST(a wrong call is a TypeError and is not retried) {
  app.task(
         "t.add", [](int x, int y) { return x + y; }, "x", "y")
      .autoretry_for<std::exception>();
  auto result = run("t.add", {1, "2"});
  CAF_CHECK(result.kind == outcome_kind::failure);
  CAF_CHECK_EQUAL(json::serialize(document(result)["result"]),
                  R"({"exc_type":"TypeError","exc_message":)"
                  R"(["add() argument 'y' must be int, not str"],)"
                  R"("exc_module":"builtins"})");
  // The first wrong argument is the one that is named.
  CAF_CHECK(run("t.add", {"1", "2"}).summary.find("'x'") != std::string::npos);
  CAF_CHECK(run("t.add", {1}).summary.find("missing 1") != std::string::npos);
}

CAF_TEST(a default of the wrong type fails at registration) {
  auto add = [&] {
    app.task(
        "t", [](int x) { return x; }, "x"_a = "one");
  };
  try {
    add();
    CAF_FAIL("no exception");
  } catch (const wrong_call& e) {
    CAF_CHECK_EQUAL(std::string{e.what()},
                    "t() argument 'x' must be int, not str");
  }
}

CAF_TEST(failure has document and traceback) {
  app.task("tasks.fail", [] { throw std::invalid_argument("why"); });
  auto result = run("tasks.fail");
  CAF_CHECK(result.kind == outcome_kind::failure);
  CAF_CHECK_EQUAL(result.summary, "ValueError('why')");
  auto found = document(result);
  CAF_CHECK_EQUAL(found["status"].as_string(), "FAILURE");
  CAF_CHECK_EQUAL(found["traceback"].as_string(), result.traceback);
  CAF_CHECK_EQUAL(result.traceback, "  In task tasks.fail[id-1]\n"
                                    "std::invalid_argument: why\n"
                                    "ValueError('why')");
}

CAF_TEST(a result that cannot be converted is a failure) {
  app.task("t", [] { return unlucky{}; });
  auto result = run("t");
  CAF_CHECK(result.kind == outcome_kind::failure);
  CAF_CHECK_EQUAL(result.summary, "ValueError('no JSON')");
}

CAF_TEST(a result beyond the bound is a failure) {
  app.task(
      "t", [](size_t size) { return std::string(size, 'x'); }, "size");
  CAF_CHECK(run("t", {1000}).kind == outcome_kind::success);
  auto result = run("t", {outcome_bytes_max});
  CAF_CHECK(result.kind == outcome_kind::failure);
  CAF_CHECK(result.summary.starts_with("ValueError('a result of "));
}

CAF_TEST(a malformed message and an unknown task) {
  auto result = task_runner{app, settings}.run(7, "{}", sink);
  CAF_CHECK(result.kind == outcome_kind::malformed);
  CAF_CHECK_NOT_EQUAL(result.summary, "");
  result = run("nobody");
  CAF_CHECK(result.kind == outcome_kind::failure);
  CAF_CHECK_EQUAL(result.summary, "NotRegistered('nobody')");
}

CAF_TEST(results can be ignored by caller and task and setting) {
  app.task("t", [] { return 1; });
  app.task("fails", [] { throw std::runtime_error("x"); });
  app.task("ignoring", [] { return 1; }).ignore_result();
  app.task("keeping", [] { return 1; }).ignore_result(false);
  app.task("telling", [] { throw std::runtime_error("x"); })
      .ignore_result()
      .store_errors_even_if_ignored();
  call.headers = {{"ignore_result", false}}; // as Celery's clients say it
  CAF_CHECK_NOT_EQUAL(run("t").document, "");
  CAF_CHECK_EQUAL(run("ignoring").document, "");
  CAF_CHECK_NOT_EQUAL(run("telling").document, "");
  call.headers = {{"ignore_result", true}};
  CAF_CHECK_EQUAL(run("t").document, "");
  CAF_CHECK_EQUAL(run("keeping").document, "");
  CAF_CHECK_EQUAL(run("fails").document, "");
  call.headers = {};
  settings.task_ignore_result = true;
  CAF_CHECK_EQUAL(run("t").document, "");
  CAF_CHECK_NOT_EQUAL(run("keeping").document, "");
  CAF_CHECK_EQUAL(run("fails").document, "");
  settings.task_store_errors_even_if_ignored = true;
  CAF_CHECK_NOT_EQUAL(run("fails").document, "");
  CAF_CHECK_EQUAL(run("t").document, "");
}

CAF_TEST(STARTED is stored if it is tracked) {
  app.task("t", [] { return 1; });
  app.task("tracked", [] { return 1; }).track_started();
  run("t");
  CAF_CHECK(sink.states.empty());
  run("tracked");
  settings.task_track_started = true;
  run("t");
  CAF_REQUIRE_EQUAL(sink.states.size(), 2u);
  CAF_CHECK_EQUAL(sink.states[1].first, 7u);
  CAF_CHECK_EQUAL(
      sink.states[1].second,
      fmt::format(R"({{"status": "STARTED", "result": {{"pid": {}, )"
                  R"("hostname": "celery@test"}}, "traceback": )"
                  R"(null, "children": [], "date_done": null, )"
                  R"("task_id": "id-1"}})",
                  getpid()));
  call.headers = {{"ignore_result", true}};
  run("t");
  CAF_CHECK_EQUAL(sink.states.size(), 2u);
}

CAF_TEST(documents name group and parent and with result_extended the call) {
  app.task(
      "t", [](int x) { return x; }, "x");
  call.headers = {{"group", "g"}};
  call.parent_id = "p";
  settings.result_extended = true;
  auto found = document(run("t", {1}));
  CAF_CHECK_EQUAL(found["group_id"].as_string(), "g");
  CAF_CHECK_EQUAL(found["parent_id"].as_string(), "p");
  CAF_CHECK_EQUAL(found["name"].as_string(), "t");
  CAF_CHECK_EQUAL(json::serialize(found["args"]), "[1]");
  CAF_CHECK_EQUAL(found["worker"].as_string(), "celery@test");
  CAF_CHECK_EQUAL(found["queue"].as_string(), "celery");
  CAF_CHECK(!found.contains("stamped_headers"));
}

CAF_TEST(with result_extended the document has the stamps) {
  app.task("t", [] {});
  call.headers = {{"stamped_headers", json::array{"tenant", "status"}},
                  {"stamps", json::object{{"tenant", json::array{"acme"}},
                                          {"status", "mine"}}}};
  settings.result_extended = true;
  auto found = document(run("t"));
  CAF_CHECK_EQUAL(json::serialize(found["stamped_headers"]),
                  R"(["tenant","status"])");
  CAF_CHECK_EQUAL(json::serialize(found["tenant"]), R"(["acme"])");
  CAF_CHECK_EQUAL(found["status"].as_string(), "SUCCESS"); // nobody's to change
}

CAF_TEST(a task sees its request) {
  call.headers = {{"x-color", "green"}, {"group", "g"}};
  call.parent_id = "p";
  call.root_id = "r";
  call.retries = 2;
  call.priority = 6;
  call.queue = "q";
  call.reply_to = "me";
  call.eta = *parse_time("2026-11-23T11:45:16+00:00");
  app.task("t", [](context& self, int x) {
    CAF_CHECK_EQUAL(self.id(), "id-1");
    CAF_CHECK_EQUAL(self.task(), "t");
    CAF_CHECK_EQUAL(self.retries(), 2);
    CAF_CHECK_EQUAL(self.args().size(), 1u);
    CAF_CHECK(self.kwargs().empty());
    CAF_CHECK_EQUAL(self.headers().at("x-color").as_string(), "green");
    CAF_CHECK_EQUAL(self.hostname(), "celery@test");
    auto route = self.delivery_info();
    CAF_CHECK_EQUAL(route.at("routing_key").as_string(), "q");
    CAF_CHECK_EQUAL(route.at("priority").as_int64(), 6);
    CAF_CHECK_EQUAL(self.root_id(), "r");
    CAF_CHECK_EQUAL(self.parent_id(), "p");
    CAF_CHECK_EQUAL(self.group(), "g");
    CAF_CHECK(self.eta() == *parse_time("2026-11-23T11:45:16Z"));
    CAF_CHECK(!self.expires());
    CAF_CHECK_EQUAL(self.correlation_id(), "id-1");
    CAF_CHECK_EQUAL(self.reply_to(), "me");
    CAF_CHECK(!self.redelivered());
    CAF_CHECK(!self.called_directly());
    CAF_CHECK(context::current() == &self);
    return x;
  });
  CAF_CHECK(run("t", {1}).kind == outcome_kind::success);
  CAF_CHECK(context::current() == nullptr);
}

CAF_TEST(a task can tell its state and write to the log) {
  app.task("t", [](context& self) {
    self.update_state("PROGRESS", {{"current", 1}, {"total", 2}});
    self.update_state("PAIR", std::pair{1, 2});
    log_warning("{} left", 3);
  });
  run("t");
  CAF_REQUIRE_EQUAL(sink.states.size(), 2u);
  CAF_CHECK(sink.states[0].second.starts_with(
      R"({"status": "PROGRESS", "result": {"current": 1, "total": 2})"));
  CAF_CHECK(sink.states[1].second.starts_with(
      R"({"status": "PAIR", "result": [1, 2])"));
  CAF_CHECK_EQUAL(sink.lines.at(0), "3 3 left");
}

CAF_TEST(reject and ignore) {
  app.task("reject", [](context& self) { self.reject("no"); });
  app.task("requeue", [](context& self) { self.reject("later", true); });
  app.task("ignore", [](context& self) { self.ignore(); });
  app.task("through", [](context& self) {
    try {
      self.ignore();
    } catch (const std::exception&) {
      // a handler for errors must not see it
    }
  });
  auto result = run("reject");
  CAF_CHECK(result.kind == outcome_kind::reject);
  CAF_CHECK_EQUAL(result.summary, "no");
  CAF_CHECK_EQUAL(result.document, "");
  CAF_CHECK(run("requeue").kind == outcome_kind::requeue);
  CAF_CHECK(run("ignore").kind == outcome_kind::ignore);
  CAF_CHECK(run("through").kind == outcome_kind::ignore);
}

CAF_TEST(retry publishes the same call again) {
  app.task("t", [](context& self, int) {
    auto cause = std::make_exception_ptr(transient("busy"));
    self.retry({.countdown = 30s, .exc = cause});
  });
  call.queue = "q";
  call.priority = 3;
  auto before = now();
  auto result = run("t", {1});
  CAF_CHECK(result.kind == outcome_kind::retry);
  CAF_CHECK_EQUAL(result.summary, "Retry in 30s: transient('busy')");
  CAF_REQUIRE_EQUAL(result.publish.size(), 1u);
  CAF_CHECK_EQUAL(result.publish[0].queue.str(), ""); // the parent knows it
  CAF_CHECK_EQUAL(result.publish[0].priority, 3);
  auto message = published(result);
  CAF_CHECK_EQUAL(message.header.id.str(), "id-1");
  CAF_CHECK_EQUAL(message.header.retries, 1);
  CAF_CHECK(*message.header.eta >= before + 30s);
  CAF_CHECK(*message.header.eta < before + 300s);
  CAF_CHECK_EQUAL(json::serialize(message.args), "[1]");
  auto found = document(result);
  CAF_CHECK_EQUAL(found["status"].as_string(), "RETRY");
  CAF_CHECK_EQUAL(json::serialize(found["children"]),
                  R"([[["id-1",null],null]])");
  CAF_CHECK_EQUAL(found["result"].at("exc_type").as_string(), "transient");
  CAF_CHECK(found["date_done"].is_null());
}

CAF_TEST(retry with other arguments and at a time) {
  auto when = *parse_time("2030-01-02T03:04:05+00:00");
  app.task("t", [=](context& self, int x) {
    self.retry({.eta = when, .args = json::array{x + 1}});
  });
  auto result = run("t", {1});
  CAF_CHECK_EQUAL(result.summary, "Retry at 2030-01-02T03:04:05+00:00");
  CAF_CHECK(document(result)["result"].is_null());
  auto message = published(result);
  CAF_CHECK_EQUAL(json::serialize(message.args), "[2]");
  CAF_CHECK_EQUAL(message.headers.at("argsrepr").as_string(), "(2,)");
  CAF_CHECK(message.header.eta == when);
}

CAF_TEST(used up retries are a failure) {
  app.task("plain", [](context& self) { self.retry(); }).max_retries(2);
  app.task("caused", [](context& self) {
    self.retry(
        {.max_retries = 2, .exc = std::make_exception_ptr(transient("busy"))});
  });
  app.task("for_ever", [](context& self) { self.retry(); }).unlimited_retries();
  call.retries = 1;
  CAF_CHECK(run("plain").kind == outcome_kind::retry);
  call.retries = 2;
  auto result = run("plain", {1}, {});
  result = run("plain");
  CAF_CHECK(result.kind == outcome_kind::failure);
  CAF_CHECK_EQUAL(json::serialize(document(result)["result"]),
                  R"({"exc_type":"MaxRetriesExceededError","exc_message":)"
                  R"(["Can't retry plain[id-1] args:() kwargs:{}"],)"
                  R"("exc_module":"celery.exceptions"})");
  CAF_CHECK_EQUAL(run("caused").summary, "transient('busy')");
  call.retries = 1'000'000;
  CAF_CHECK(run("for_ever").kind == outcome_kind::retry);
}

CAF_TEST(automatic retries) {
  app.task("t", [] { throw transient("busy"); })
      .autoretry_for<transient, std::bad_alloc>()
      .retry_backoff(2s)
      .retry_jitter(false)
      .max_retries(4);
  app.task("other", [] { throw std::runtime_error("x"); })
      .autoretry_for<transient>();
  app.task("except", [] { throw transient("busy"); })
      .autoretry_for<std::exception>()
      .dont_autoretry_for<transient>();
  call.retries = 3;
  auto result = run("t");
  CAF_CHECK(result.kind == outcome_kind::retry);
  CAF_CHECK_EQUAL(result.summary, "Retry in 16s: transient('busy')");
  call.retries = 4;
  result = run("t");
  CAF_CHECK(result.kind == outcome_kind::failure);
  CAF_CHECK_EQUAL(result.summary, "transient('busy')");
  call.retries = 0;
  CAF_CHECK(run("other").kind == outcome_kind::failure);
  CAF_CHECK(run("except").kind == outcome_kind::failure);
}

CAF_TEST(a soft limit ends a sleep as an exception) {
  task_runner runner{app, settings};
  app.task("t", [&](context&) {
    runner.interrupt(8); // another run
    checkpoint();
    runner.interrupt(7);
    umbel::this_thread::sleep_for(1h);
  });
  app.task("cleans", [&](context&) {
    runner.interrupt(7);
    try {
      umbel::this_thread::sleep_for(1h);
    } catch (const soft_time_limit_exceeded&) {
      umbel::this_thread::sleep_for(1ms); // the clean-up may sleep again
    }
    return "clean";
  });
  call.task = "t";
  auto result = runner.run(7, make_task_message(call), sink);
  CAF_CHECK_EQUAL(result.summary, "SoftTimeLimitExceeded()");
  call.task = "cleans";
  result = runner.run(7, make_task_message(call), sink);
  CAF_CHECK_EQUAL(result.summary, "'clean'");
}

CAF_TEST(one registry serves several runners at once) {
  app.task("t", [](context& self, int x) {
    self.update_state("S", x);
    return x;
  });
  const registry& shared = app;
  auto work = [&](int x) {
    recording_sink mine;
    task_runner runner{shared, settings};
    task_call c;
    c.task = "t";
    c.args = {x};
    auto payload = make_task_message(c);
    for (int i = 0; i < 200; ++i)
      if (runner.run(1, payload, mine).summary != std::to_string(x))
        return false;
    return mine.states.size() == 200;
  };
  bool right[2] = {false, false};
  std::thread other{[&] { right[0] = work(1); }};
  right[1] = work(2);
  other.join();
  CAF_CHECK(right[0]);
  CAF_CHECK(right[1]);
}

CAF_TEST_FIXTURE_SCOPE_END()
