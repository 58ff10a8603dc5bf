#define CAF_SUITE errbacks

#include "tests/unit/dsl.hpp"
#include "tests/unit/task/call_of.hpp"
#include "tests/unit/task/recording_sink.hpp"

#include "protocol/task/follow_ups.hpp"
#include "protocol/task/runner.hpp"
#include "protocol/task/task.hpp"

using namespace umbel;

namespace {

struct fixture {
  fixture() {
    app.task("t.fail", [] { throw std::invalid_argument("no"); });
    settings.node = "celery@test";
  }

  static json::value errback(const char* task, json::array args = {},
                             bool immutable = false) {
    return json::object{{"task", task},
                        {"args", std::move(args)},
                        {"kwargs", json::object{}},
                        {"options", json::object{}},
                        {"subtask_type", nullptr},
                        {"immutable", immutable}};
  }

  static std::string message(json::array errbacks) {
    auto call = call_of("t.fail", "id-1");
    call.embed = {{"errbacks", std::move(errbacks)}};
    return make_task_message(call);
  }

  outcome fail_with(json::array errbacks) {
    return task_runner{app, settings}.run(7, message(std::move(errbacks)), sink);
  }

  registry app;
  runner_settings settings;
  recording_sink sink;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(errbacks_tests, fixture)

CAF_TEST(one that takes the id alone or that is not known here is sent) {
  auto called = false;
  app.task("t.old", [&](const std::string&) { called = true; });
  auto result = fail_with({errback("t.old"), errback("t.elsewhere")});
  CAF_CHECK(!called);
  CAF_REQUIRE_EQUAL(result.publish.size(), 2u);
  for (auto& x : result.publish)
    CAF_CHECK_EQUAL(json::serialize(parse_task_message(x.payload)->args),
                    R"(["id-1"])");
}

CAF_TEST(one that takes more is called with the failure) {
  json::array seen;
  app.task("t.new", [&](context& self, const json::object& request,
                        const json::object& exc, const std::string& traceback,
                        std::optional<std::string> own) {
    seen = {self.id(), request.at("task"), request.at("id"), exc.at("exc_type"),
            traceback.find("no") != traceback.npos, own.value_or("")};
  });
  auto result = fail_with({errback("t.new", {"own"})});
  CAF_CHECK(result.publish.empty());
  CAF_CHECK_EQUAL(json::serialize(seen),
                  R"(["id-1","t.fail","id-1","ValueError",true,"own"])");
}

CAF_TEST(an immutable one is called with its own arguments) {
  json::array seen;
  app.task("t.new", [&](varargs xs) { seen = xs.values; });
  fail_with({errback("t.new", {1, 2}, true)});
  CAF_CHECK_EQUAL(json::serialize(seen), "[1,2]");
}

CAF_TEST(what it starts goes out and what it throws is logged) {
  app.task("t.new", [&](context& self, varargs) {
    self.start({.task = "t.alarm"});
    throw std::runtime_error("mail is down");
  });
  auto result = fail_with({errback("t.new")});
  CAF_CHECK_EQUAL(result.summary, "ValueError('no')");
  CAF_REQUIRE_EQUAL(result.publish.size(), 1u);
  auto alarm = parse_task_message(result.publish[0].payload).value();
  CAF_CHECK_EQUAL(alarm.header.task, "t.alarm");
  CAF_REQUIRE_EQUAL(sink.lines.size(), 1u);
  CAF_CHECK_EQUAL(sink.lines[0], "4 Task t.fail[id-1]: its errback t.new raised "
                                 "RuntimeError('mail is down')");
}

CAF_TEST(a coroutine is sent the failure) {
  app.task("t.new", [](json::value, json::value, json::value) -> awaitable<> {
    co_return;
  });
  auto result = fail_with({errback("t.new")});
  CAF_REQUIRE_EQUAL(result.publish.size(), 1u);
  auto sent = parse_task_message(result.publish[0].payload);
  CAF_REQUIRE_EQUAL(sent->args.size(), 3u);
  CAF_CHECK_EQUAL(sent->args[0].as_object()["id"].as_string(), "id-1");
}

CAF_TEST(whoever has no registry sends the failure to those that take it) {
  settings.failure_takers = {"t.new"};
  auto done = parse_task_message(message({errback("t.new"), errback("t.old")}));
  exception_info why{"WorkerLostError", {"gone"}, "billiard.exceptions", {}};
  auto next = after_failure(*done, why, settings);
  CAF_REQUIRE_EQUAL(next.publish.size(), 2u);
  CAF_CHECK_EQUAL(parse_task_message(next.publish[0].payload)->args.size(), 3u);
  CAF_CHECK_EQUAL(parse_task_message(next.publish[1].payload)->args.size(), 1u);
}

CAF_TEST(tasks tell whether they take a failure) {
  app.task("t.two", [](int, int) {});
  app.task("t.any", [](varargs) {});
  app.task("t.one", [](context&, int) {});
  CAF_CHECK(app.find("t.two")->options().takes_failure);
  CAF_CHECK(app.find("t.any")->options().takes_failure);
  CAF_CHECK(!app.find("t.one")->options().takes_failure);
  auto same = parse_task_options(to_json_object(app.find("t.two")->options()));
  CAF_CHECK(same->takes_failure);
}

CAF_TEST_FIXTURE_SCOPE_END()
