#define CAF_SUITE hooks

#include "tests/unit/dsl.hpp"
#include "tests/unit/task/recording_sink.hpp"

#include "protocol/task/runner.hpp"
#include "protocol/task/task.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct out_of_stock : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct fixture {
  outcome run(const std::string& name, int64_t retries = 0) {
    story.clear();
    task_call call;
    call.task = name;
    call.id = "id-1";
    call.retries = retries;
    return task_runner{app, settings}.run(7, make_task_message(call), sink);
  }

  /// Has everything that can be heard written down.
  void listen(task_definition& task) {
    auto note = [this](std::string x) { story.push_back(std::move(x)); };
    task.before_start([=](context&) { note("before_start"); })
        .on_success([=](context&, const json::value& x) {
          note("on_success " + to_json(x));
        })
        .on_failure([=](context&, const exception_info& x) {
          note("on_failure " + x.repr());
        })
        .on_retry([=](context&, const exception_info& x) {
          note("on_retry " + x.repr());
        })
        .after_return([=](context&, std::string_view state, const json::value&) {
          note("after_return " + std::string{state});
        });
    auto& told = app.signals();
    told.task_prerun.connect([=](context& self) { note("prerun " + self.id()); });
    told.task_success.connect(
        [=](context&, const json::value&) { note("success"); });
    told.task_failure.connect(
        [=](context&, const exception_info&) { note("failure"); });
    told.task_retry.connect(
        [=](context&, const exception_info&) { note("retry"); });
    told.task_postrun.connect(
        [=](context&, std::string_view state, const json::value& x) {
          note("postrun " + std::string{state} + " " + to_json(x));
        });
  }

  std::string told() const {
    std::string to;
    for (auto& x : story)
      to += (to.empty() ? "" : ", ") + x;
    return to;
  }

  registry app;
  runner_settings settings;
  recording_sink sink;
  std::vector<std::string> story;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(hooks_tests, fixture)

CAF_TEST(a success is told in the order that Celery has) {
  listen(app.task("t.ok", [this] {
    story.push_back("run");
    return 4;
  }));
  run("t.ok");
  CAF_CHECK_EQUAL(told(), "prerun id-1, before_start, run, on_success 4, "
                          "success, after_return SUCCESS, postrun SUCCESS 4");
}

CAF_TEST(a failure is told and a retry is no end) {
  listen(app.task("t.bad", [](context& self) {
    if (self.retries() == 0)
      self.retry({.countdown = 1s});
    throw std::invalid_argument("no");
  }));
  run("t.bad");
  CAF_CHECK_EQUAL(
      told(), "prerun id-1, before_start, on_retry Retry('Retry in 1s'), retry, "
              "postrun RETRY "
              "{\"exc_type\": \"Retry\", \"exc_message\": [\"Retry in 1s\"], "
              "\"exc_module\": \"celery.exceptions\"}");
  run("t.bad", 1);
  CAF_CHECK_EQUAL(
      told(), "prerun id-1, before_start, on_failure ValueError('no'), failure, "
              "after_return FAILURE, postrun FAILURE "
              "{\"exc_type\": \"ValueError\", \"exc_message\": [\"no\"], "
              "\"exc_module\": \"builtins\"}");
}

CAF_TEST(what before_start throws is the end of the run) {
  auto ran = false;
  app.task("t", [&] { ran = true; }).before_start([](context&) {
    throw std::runtime_error("closed");
  });
  auto result = run("t");
  CAF_CHECK(!ran);
  CAF_CHECK(result.kind == outcome_kind::failure);
  CAF_CHECK_EQUAL(result.summary, "RuntimeError('closed')");
}

CAF_TEST(what other hooks throw is logged and changes nothing) {
  app.task("t", [] { return 1; })
      .on_success([](context&, const json::value&) {
        throw std::runtime_error("full");
      })
      .after_return([](context& self, std::string_view, const json::value&) {
        self.ignore(); // not the place for it
      });
  auto result = run("t");
  CAF_CHECK(result.kind == outcome_kind::success);
  CAF_REQUIRE_EQUAL(sink.lines.size(), 2u);
  CAF_CHECK_EQUAL(sink.lines[0],
                  "4 Task t[id-1]: on_success raised RuntimeError('full')");
}

CAF_TEST(what hooks start goes out whatever the end and what a failed task started does not) {
  app.task("t", [](context& self) {
       self.start({.task = "t.lost"});
       throw std::runtime_error("no");
     }).on_failure([](context& self, const exception_info& why) {
    self.start({.task = "t.alarm", .args = {json::string{why.repr()}}});
  });
  auto result = run("t");
  CAF_CHECK(result.kind == outcome_kind::failure);
  CAF_REQUIRE_EQUAL(result.publish.size(), 1u);
  auto alarm = parse_task_message(result.publish[0].payload);
  CAF_REQUIRE(alarm.has_value());
  CAF_CHECK_EQUAL(alarm->header.task, "t.alarm");
  CAF_CHECK_EQUAL(alarm->header.parent_id, "id-1");
}

CAF_TEST(expected exceptions are marked and all else is as with any other) {
  app.task("t", [](context& self) {
       if (self.retries() == 0)
         throw out_of_stock("none left");
       throw std::runtime_error("other");
     }).throws<out_of_stock>();
  auto known = run("t");
  CAF_CHECK(known.kind == outcome_kind::failure);
  CAF_CHECK(known.expected);
  CAF_CHECK(!known.document.empty());
  CAF_CHECK(!run("t", 1).expected);
}

CAF_TEST(what never began is not told) {
  listen(app.task("t.late", [] {}));
  run("t.unknown");
  CAF_CHECK_EQUAL(told(), "");
}

CAF_TEST(functions for a process are called whatever the others do) {
  signal<> init;
  auto called = false;
  init.connect([] { throw std::runtime_error("no database"); });
  init.connect([&] { called = true; });
  std::vector<std::string> complaints;
  tell_process(init, "worker_process_init",
               [&](const std::string& x) { complaints.push_back(x); });
  CAF_CHECK(called);
  CAF_REQUIRE_EQUAL(complaints.size(), 1u);
  CAF_CHECK_EQUAL(complaints[0], "a function connected to worker_process_init "
                                 "raised RuntimeError('no database')");
}

CAF_TEST(the headers of the caller are seen) {
  app.task("t", [](context& self) {
    return json::array{self.header("tenant"), self.header("nothing")};
  });
  task_call call;
  call.task = "t";
  call.headers = {{"tenant", "acme"}};
  auto result = task_runner{app, settings}.run(7, make_task_message(call), sink);
  CAF_CHECK_EQUAL(result.summary, "['acme', None]");
}

CAF_TEST_FIXTURE_SCOPE_END()
