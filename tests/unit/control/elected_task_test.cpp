#define CAF_SUITE elected_task

#include "protocol/control/elected_task.hpp"

#include "protocol/message/task_message.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;

namespace {

struct fixture {
  umbel::routing routing;
  canvas::origin from;

  fixture() {
    from.node = "a@h";
    from.routing = &routing;
  }

  /// What was applied before is gone.
  expected<void> apply(const char* text) {
    made = {};
    return apply_elected(made, parse_json(text).value(), from);
  }

  canvas::application made;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(elected_task_tests, fixture)

CAF_TEST(a signature becomes the message that apply_async sends) {
  auto done = apply(R"({"task": "tasks.add", "args": [2, 3], "kwargs": {"z": 1},
    "options": {"queue": "q", "priority": 6, "task_id": "id", "delivery_mode": 1,
                "time_limit": 9, "headers": {"h": 2}},
    "subtask_type": null, "immutable": false})");
  CAF_REQUIRE(done.has_value());
  CAF_REQUIRE_EQUAL(made.publish.size(), 1u);
  auto& sent = made.publish[0];
  CAF_CHECK_EQUAL(sent.queue.str(), "q");
  CAF_CHECK_EQUAL(sent.priority, 6);
  auto m = parse_task_message(sent.payload).value();
  CAF_CHECK_EQUAL(m.header.id.str(), "id");
  CAF_CHECK_EQUAL(m.header.root_id, "id");
  CAF_CHECK_EQUAL(m.header.task, "tasks.add");
  CAF_CHECK_EQUAL(to_json(m.args), "[2, 3]");
  CAF_CHECK_EQUAL(to_json(m.kwargs), R"({"z": 1})");
  CAF_CHECK_EQUAL(m.properties.at("delivery_mode").as_int64(), 1);
  CAF_CHECK_EQUAL(m.headers.at("h").as_int64(), 2);
  CAF_CHECK_EQUAL(m.headers.at("origin").as_string(), "a@h");
  CAF_CHECK(m.header.time_limit == std::chrono::seconds{9});
}

CAF_TEST(what is left out is the default) {
  CAF_REQUIRE(apply(R"({"task": "t"})"));
  CAF_CHECK_EQUAL(made.publish[0].queue.str(), "celery");
  CAF_CHECK(!read_task_header(made.publish[0].payload)->eta);
  CAF_REQUIRE(apply(R"({"task": "t", "options": {"countdown": 3}})"));
  CAF_CHECK(read_task_header(made.publish[0].payload)->eta.has_value());
}

CAF_TEST(it goes where tasks of its name go) {
  routing.routes = router::parse(parse_json(R"({"t": "mail"})").value()).value();
  CAF_REQUIRE(apply(R"({"task": "t"})"));
  CAF_CHECK_EQUAL(made.publish[0].queue.str(), "mail");
  routing.create_missing = false;
  auto x = apply(R"({"task": "t"})");
  CAF_REQUIRE(!x);
  CAF_CHECK_EQUAL(x.error().what, "the elected task cannot be sent: Queue 'mail' "
                                  "missing from task_queues");
}

CAF_TEST(workflows) {
  auto done = apply(R"({"task": "celery.chord", "subtask_type": "chord",
    "kwargs": {"header": [{"task": "a"}, {"task": "b"}], "body": {"task": "c"}}})");
  CAF_REQUIRE(done.has_value());
  CAF_CHECK_EQUAL(made.publish.size(), 2u);
  CAF_CHECK_EQUAL(made.groups.size(), 1u);
  from.chords = chord_counting::impossible;
  CAF_CHECK(!apply(R"({"task": "celery.chord", "subtask_type": "chord",
    "kwargs": {"header": [{"task": "a"}], "body": {"task": "c"}}})"));
}

CAF_TEST(what is no signature is refused) {
  for (auto text : {"null", "[]", "3", "{}", R"({"task": 3})",
                    R"({"task": "celery.group", "subtask_type": "group"})",
                    R"({"task": "t", "options": {"eta": "soon"}})",
                    R"({"task": "t", "options": {"countdown": {}}})"})
    CAF_CHECK(!apply(text));
}

CAF_TEST_FIXTURE_SCOPE_END()
