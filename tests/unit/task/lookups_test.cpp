// What runs ask of the result store: earlier results, abortion, chords that
// nobody counts.
#define CAF_SUITE lookups

#include "tests/unit/dsl.hpp"
#include "tests/unit/task/call_of.hpp"
#include "tests/unit/task/recording_sink.hpp"
#include "tests/unit/task/simulated_runtime.hpp"

#include "protocol/message/envelope.hpp"
#include "protocol/task/builtin_tasks.hpp"
#include "protocol/task/runner.hpp"
#include "protocol/task/task.hpp"

using namespace umbel;

namespace {

struct fixture {
  fixture() {
    add_builtin_tasks(app);
  }

  outcome run(const std::string& payload) {
    task_runner runner{app, settings, where};
    auto end = runner.start(7, payload, sink, [](outcome) {});
    return std::move(end.value());
  }

  outcome call(task_call x) {
    x.id = "id-1";
    return run(make_task_message(x));
  }

  /// chord_unlock for a header of "a" and a group of "b" and "c".
  outcome unlock(json::object kwargs = {}, int64_t retries = 0) {
    task_call poll;
    poll.task = "celery.chord_unlock";
    poll.retries = retries;
    json::object body{{"task", "t.body"},
                      {"args", json::array{}},
                      {"kwargs", json::object{}},
                      {"options",
                       json::object{{"task_id", "body-1"},
                                    {"link_error",
                                     json::array{json::object{
                                         {"task", "t.alarm"},
                                         {"args", json::array{}},
                                         {"kwargs", json::object{}},
                                         {"options", json::object{}},
                                         {"subtask_type", nullptr},
                                         {"immutable", false}}}}}},
                      {"subtask_type", nullptr},
                      {"immutable", false}};
    poll.args = {"group-1", body};
    kwargs["result"] = *parse_json(
        R"([[["a", null], null], [["g", null], [[["b", null], null],
            [["c", null], null]]]])");
    poll.kwargs = std::move(kwargs);
    return call(std::move(poll));
  }

  void store(const std::string& id, const std::string& status,
             const std::string& result) {
    where.stored[id] = "{\"status\": \"" + status + "\", \"result\": " + result
                       + "}";
  }

  static task_message published(const outcome& x) {
    return *parse_task_message(x.publish.at(0).payload);
  }

  simulated_runtime where;
  registry app;
  runner_settings settings;
  recording_sink sink;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(lookups_tests, fixture)

CAF_TEST(a task sees that it was aborted) {
  app.task("t", [](context& self) { return self.is_aborted(); });
  CAF_CHECK_EQUAL(call(call_of("t")).summary, "False");
  store("id-1", "STARTED", "null");
  CAF_CHECK_EQUAL(call(call_of("t")).summary, "False");
  store("id-1", "ABORTED", "null");
  CAF_CHECK_EQUAL(call(call_of("t")).summary, "True");
}

CAF_TEST(what has succeeded before is not run again but followed) {
  auto runs = 0;
  app.task("t", [&] { return ++runs; }).acks_late();
  auto sent = call_of("t", "id-1");
  sent.embed = {{"callbacks",
                 json::array{json::object{{"task", "t.next"},
                                          {"args", json::array{}},
                                          {"kwargs", json::object{}},
                                          {"options", json::object{}},
                                          {"subtask_type", nullptr},
                                          {"immutable", false}}}}};
  auto first = make_task_message(sent);
  auto again = mark_redelivered(first).value();
  store("id-1", "SUCCESS", "41");
  settings.worker_deduplicate_successful_tasks = true;
  CAF_CHECK_EQUAL(run(first).summary, "1"); // delivered once: nobody looks
  auto result = run(again);
  CAF_CHECK_EQUAL(runs, 1);
  CAF_CHECK(result.kind == outcome_kind::success);
  CAF_CHECK_EQUAL(result.summary, "41");
  CAF_CHECK_EQUAL(json::serialize(published(result).args), "[41]");
  store("id-1", "FAILURE", "null");
  CAF_CHECK_EQUAL(run(again).summary, "2");
  settings.worker_deduplicate_successful_tasks = false;
  store("id-1", "SUCCESS", "41");
  CAF_CHECK_EQUAL(run(again).summary, "3");
}

CAF_TEST(only late acknowledgement leaves what was run before) {
  auto runs = 0;
  app.task("t", [&] { return ++runs; });
  settings.worker_deduplicate_successful_tasks = true;
  store("id-1", "SUCCESS", "41");
  auto again
      = mark_redelivered(make_task_message(call_of("t", "id-1"))).value();
  CAF_CHECK_EQUAL(run(again).summary, "1");
  settings.task_acks_late = true;
  CAF_CHECK_EQUAL(run(again).summary, "41");
}

CAF_TEST(a chord is looked at again until its header has ended) {
  store("a", "SUCCESS", "1");
  store("b", "STARTED", "null");
  auto result = unlock({{"interval", 2}});
  CAF_CHECK(result.kind == outcome_kind::retry);
  CAF_CHECK_EQUAL(result.summary, "Retry in 2s");
  CAF_CHECK(result.document.empty());
  CAF_CHECK_EQUAL(unlock().summary, "Retry in 1s"); // result_chord_retry_interval
  result = unlock({{"max_retries", 3}}, 3);
  CAF_CHECK(result.kind == outcome_kind::failure);
  CAF_CHECK(unlock({}, 1000).kind == outcome_kind::retry);
}

CAF_TEST(its body gets the results in the order of the header) {
  store("a", "SUCCESS", "1");
  store("b", "SUCCESS", "2");
  store("c", "SUCCESS", "[3]");
  auto result = unlock();
  CAF_CHECK(result.kind == outcome_kind::success);
  auto body = published(result);
  CAF_CHECK_EQUAL(body.header.task, "t.body");
  CAF_CHECK_EQUAL(body.header.id.str(), "body-1");
  CAF_CHECK_EQUAL(json::serialize(body.args), "[[1,[2,[3]]]]");
}

CAF_TEST(its body fails with a part of its header) {
  store("a", "SUCCESS", "1");
  store("b", "FAILURE",
        R"({"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "b"})");
  store("c", "SUCCESS", "3");
  auto result = unlock();
  CAF_CHECK(result.kind == outcome_kind::success);
  CAF_REQUIRE_EQUAL(result.workflow.results.size(), 1u);
  auto& failed = result.workflow.results[0];
  CAF_CHECK_EQUAL(failed.id.str(), "body-1");
  auto document = parse_json(failed.document)->as_object();
  CAF_CHECK_EQUAL(document["status"].as_string(), "FAILURE");
  auto why = document["result"].as_object();
  CAF_CHECK_EQUAL(why["exc_type"].as_string(), "ChordError");
  CAF_CHECK_EQUAL(why["exc_message"].as_array()[0].as_string(),
                  "Dependency b raised ValueError('no')");
  CAF_REQUIRE_EQUAL(result.publish.size(), 1u);
  auto alarm = published(result);
  CAF_CHECK_EQUAL(alarm.header.task, "t.alarm");
  CAF_CHECK_EQUAL(json::serialize(alarm.args), R"(["body-1"])");
}

CAF_TEST_FIXTURE_SCOPE_END()
