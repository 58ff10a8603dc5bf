#define CAF_SUITE elected_task

#include "protocol/control/elected_task.hpp"

#include "protocol/message/task_message.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;

namespace {

auto make(const char* text) {
  return make_elected_task(parse_json(text).value(), "celery",
                           node_name{"a@h"});
}

} // namespace

CAF_TEST(a signature becomes the message that apply_async sends) {
  auto x = make(R"({"task": "tasks.add", "args": [2, 3], "kwargs": {"z": 1},
    "options": {"queue": "q", "priority": 6, "task_id": "id"},
    "subtask_type": null, "immutable": false})");
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(x->queue.str(), "q");
  CAF_CHECK_EQUAL(x->priority, 6);
  auto m = parse_task_message(x->payload).value();
  CAF_CHECK_EQUAL(m.header.id.str(), "id");
  CAF_CHECK_EQUAL(m.header.root_id, "id");
  CAF_CHECK_EQUAL(m.header.task, "tasks.add");
  CAF_CHECK_EQUAL(to_json(m.args), "[2, 3]");
  CAF_CHECK_EQUAL(to_json(m.kwargs), R"({"z": 1})");
}

CAF_TEST(what is left out is the default) {
  auto x = make(R"({"task": "t"})");
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(x->queue.str(), "celery");
  auto m = parse_task_message(x->payload).value();
  CAF_CHECK(!m.header.eta);
  auto later = make(R"({"task": "t", "options": {"countdown": 3}})");
  CAF_REQUIRE(later.has_value());
  CAF_CHECK(read_task_header(later->payload)->eta.has_value());
}

CAF_TEST(what is no signature of one task is refused) {
  for (auto text : {"null", "[]", "3", "{}", R"({"task": 3})",
                    R"({"task": "celery.group", "subtask_type": "group"})",
                    R"({"task": "t", "options": {"eta": "soon"}})",
                    R"({"task": "t", "options": {"countdown": {}}})"})
    CAF_CHECK(!make(text));
}
