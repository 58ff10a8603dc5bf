// Chords that tasks make and join, by what the result store can do for them.
#define CAF_SUITE chords

#include "tests/unit/dsl.hpp"
#include "tests/unit/task/call_of.hpp"
#include "tests/unit/task/recording_sink.hpp"

#include "protocol/canvas/routing.hpp"
#include "protocol/task/chord_parts.hpp"
#include "protocol/task/runner.hpp"
#include "protocol/task/task.hpp"

using namespace umbel;
using canvas::make_chain;
using canvas::make_chord;
using canvas::make_group;

namespace {

canvas::signature sig(std::string name, json::array args = {}) {
  return {.task = std::move(name), .args = std::move(args)};
}

struct fixture {
  /// Runs "t", as a part of a chord or not.
  outcome run(bool in_chord = true) {
    auto call = call_of("t", "id-1");
    if (in_chord) {
      auto body = sig("body");
      body.options["task_id"] = "b";
      call.embed["chord"] = to_json_value(body);
      call.headers = {{"group", "g"}, {"group_index", 3}};
    }
    return task_runner{app, settings}.run(7, make_task_message(call), sink);
  }

  static std::vector<task_message> messages(const outcome& x) {
    std::vector<task_message> to;
    for (auto& y : x.publish)
      to.push_back(*parse_task_message(y.payload));
    return to;
  }

  registry app;
  runner_settings settings;
  recording_sink sink;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(chords_tests, fixture)

CAF_TEST(a task that joins is part of the chord and counted with its parent) {
  app.task("t", [](context& self) {
    self.add_to_chord(sig("more", {1}));
    self.add_to_chord(make_chain({sig("first"), sig("last")}));
  });
  auto end = run();
  auto sent = messages(end);
  CAF_REQUIRE_EQUAL(sent.size(), 2u);
  CAF_CHECK_EQUAL(sent[0].header.task, "more");
  CAF_CHECK_EQUAL(sent[0].header.group, "g");
  CAF_CHECK_EQUAL(sent[0].headers.at("group_index").as_int64(), 3);
  CAF_CHECK_EQUAL(sent[0].embed.at("chord").at("task").as_string(), "body");
  CAF_CHECK_EQUAL(sent[0].header.parent_id, "id-1");
  // Of a chain it is the last task that counts.
  CAF_CHECK_EQUAL(sent[1].header.task, "first");
  CAF_CHECK_EQUAL(sent[1].header.group, "");
  CAF_REQUIRE_EQUAL(end.workflow.groups.size(), 2u);
  for (auto& x : end.workflow.groups) {
    CAF_CHECK_EQUAL(x.group, "g");
    CAF_CHECK(x.what == group_record::kind::joined);
  }
  CAF_CHECK_NOT_EQUAL(end.workflow.groups[0].text, end.workflow.groups[1].text);
  CAF_CHECK_EQUAL(end.workflow.parts.size(), 1u);
  // Another run of the same message adds the same.
  auto again = run();
  CAF_CHECK(messages(again)[0].header.id == sent[0].header.id);
  CAF_CHECK_EQUAL(again.workflow.groups[0].text, end.workflow.groups[0].text);
}

CAF_TEST(a lazy one is counted and sent by whoever has it) {
  app.task("t", [](context& self) {
    auto more = self.add_to_chord_lazily(sig("more"));
    self.start(make_chain({sig("before"), more}));
  });
  auto end = run();
  auto sent = messages(end);
  CAF_REQUIRE_EQUAL(sent.size(), 1u);
  CAF_CHECK_EQUAL(sent[0].header.task, "before");
  auto& next = sent[0].embed.at("chain").as_array().at(0);
  CAF_CHECK_EQUAL(next.at("options").at("group_id").as_string(), "g");
  CAF_CHECK_EQUAL(next.at("options").at("chord").at("task").as_string(), "body");
  CAF_CHECK_EQUAL(end.workflow.groups.size(), 1u);
}

CAF_TEST(a run that fails or is retried has added nothing) {
  auto retry = false;
  app.task("t", [&](context& self) {
    self.add_to_chord(sig("more"));
    if (retry)
      self.retry();
    throw exception("ValueError", {"no"});
  });
  auto failed = run();
  CAF_CHECK(failed.publish.empty());
  CAF_CHECK(failed.workflow.groups.empty());
  retry = true;
  auto again = run();
  CAF_CHECK_EQUAL(again.publish.size(), 1u); // itself
  CAF_CHECK(again.workflow.groups.empty());
}

CAF_TEST(where there is no chord or nobody counts it that is an error) {
  app.task("t", [](context& self) { self.add_to_chord(sig("more")); });
  CAF_CHECK_EQUAL(run(false).summary,
                  "ValueError('Current task is not member of any chord')");
  settings.chords = chord_counting::polled;
  CAF_CHECK_EQUAL(
      run().summary,
      "NotImplementedError('Backend does not support add_to_chord')");
}

CAF_TEST(where the store does not count somebody looks for the results) {
  settings.chords = chord_counting::polled;
  app.task("t", [](context& self) {
    auto body = sig("sum");
    body.options["queue"] = "slow";
    body.options["priority"] = 4;
    self.start(make_chord(make_group({sig("a"), sig("b")}), body));
  });
  auto end = run();
  auto sent = messages(end);
  CAF_REQUIRE_EQUAL(sent.size(), 3u);
  auto& unlock = sent[0];
  CAF_CHECK_EQUAL(unlock.header.task, "celery.chord_unlock");
  CAF_CHECK(unlock.header.eta.has_value());
  CAF_CHECK_EQUAL(end.publish[0].queue.str(), "slow");
  CAF_CHECK_EQUAL(end.publish[0].priority, 4);
  CAF_CHECK_EQUAL(unlock.args.at(0).as_string(), sent[1].header.group);
  CAF_CHECK_EQUAL(unlock.args.at(1).at("task").as_string(), "sum");
  json::array ids;
  for (auto& x : unlock.kwargs.at("result").as_array())
    ids.push_back(x.at(0).at(0));
  const json::array expected{json::value(sent[1].header.id.str()),
                             json::value(sent[2].header.id.str())};
  CAF_CHECK_EQUAL(json::serialize(ids), json::serialize(expected));
  CAF_CHECK(end.workflow.empty()); // neither sizes nor parts
}

CAF_TEST(who cannot send what follows has failed and is not retried) {
  settings.routing =
    std::make_shared<const routing>(routing{.create_missing = false});
  app.task("t", [] { return 1; }).autoretry_for<umbel::exception>();
  auto call = call_of("t", "id-1");
  auto next = sig("next");
  next.options = {{"task_id", "n"}, {"queue", "nowhere"}};
  call.embed["chain"] = json::array{to_json_value(next)};
  auto end = task_runner{app, settings}.run(7, make_task_message(call), sink);
  CAF_CHECK(end.kind == outcome_kind::failure);
  CAF_CHECK_EQUAL(end.summary,
                  "QueueNotFound(\"Queue 'nowhere' missing from task_queues\")");
  CAF_REQUIRE_EQUAL(end.workflow.results.size(), 1u);
  CAF_CHECK_EQUAL(end.workflow.results[0].id.str(), "n");
}

CAF_TEST(where results are kept nowhere a chord is refused) {
  settings.chords = chord_counting::impossible;
  app.task("t", [](context& self) {
    self.start(make_chain({make_group({sig("a"), sig("b")}), sig("sum")}));
  });
  auto end = run(false);
  CAF_CHECK(end.kind == outcome_kind::failure);
  CAF_CHECK(end.summary.starts_with("NotImplementedError('chords need results"));
  CAF_CHECK(end.publish.empty());
}

CAF_TEST(who counts is known by the store) {
  CAF_CHECK(chord_counting_of("redis://h/1") == chord_counting::counted);
  CAF_CHECK(chord_counting_of("sqlite:///x") == chord_counting::counted);
  CAF_CHECK(chord_counting_of("file:///x") == chord_counting::polled);
  CAF_CHECK(chord_counting_of("rpc://") == chord_counting::impossible);
  CAF_CHECK(chord_counting_of("amqp://h//") == chord_counting::impossible);
  CAF_CHECK(chord_counting_of("") == chord_counting::impossible);
  for (auto x : {chord_counting::counted, chord_counting::polled,
                 chord_counting::impossible})
    CAF_CHECK(parse_chord_counting(name_of(x)) == x);
}

CAF_TEST_FIXTURE_SCOPE_END()
