#define CAF_SUITE event_dump

#include "apps/remote/event_dump.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

event make(const char* type, json::object fields) {
  fields["type"] = type;
  fields["hostname"] = "celery@a";
  fields["timestamp"] = 1.5;
  event x;
  x.type = type;
  x.node = node_name{"celery@a"};
  x.time = timestamp{1'500ms};
  x.fields = std::move(fields);
  return x;
}

} // namespace

CAF_TEST(lines are those of celery events) {
  event_dump x;
  const timestamp heard{2s};
  CAF_CHECK_EQUAL(
    x.line(make("worker-heartbeat", {{"freq", 2.0}, {"active", 0}}), heard),
    "celery@a [1970-01-01 00:00:01.500000] heartbeat: active=0, freq=2.0, "
    "local_received=2");
  CAF_CHECK_EQUAL(
    x.line(make("task-received", {{"uuid", "1"}, {"name", "t"}, {"args", "(1,)"},
                                  {"kwargs", "{}"}, {"eta", nullptr}}),
           heard),
    "celery@a [1970-01-01 00:00:01.500000] task received: t(1) args=(1,) "
    "kwargs={} eta=None, local_received=2");
  CAF_CHECK_EQUAL(
    x.line(make("task-succeeded", {{"uuid", "1"}, {"result", "3\n"}}), heard),
    "celery@a [1970-01-01 00:00:01.500000] task succeeded: t(1) args=(1,) "
    "kwargs={} local_received=2, result=3\\n");
  CAF_CHECK_EQUAL(
    x.line(make("task-started", {{"uuid", "2"}}), heard),
    "celery@a [1970-01-01 00:00:01.500000] task started:  local_received=2");
}

CAF_TEST(for programs) {
  CAF_CHECK_EQUAL(event_as_json(make("x", {}), timestamp{2s}),
                  R"({"type": "x", "hostname": "celery@a", "timestamp": 1.5, )"
                  R"("local_received": 2.0})");
}
