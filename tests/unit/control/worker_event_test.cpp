#define CAF_SUITE worker_event

#include "protocol/control/worker_event.hpp"

#include "protocol/control/event.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

using kind = worker_event::kind;

envelope said(std::string body) {
  return parse_envelope(make_event_message(std::move(body), "worker.heartbeat",
                                           event_source{node_name{"a@h"}}))
    .value();
}

worker_event parsed(const std::string& body) {
  auto result = parse_worker_event(said(body));
  if (!result)
    CAF_FAIL("unexpected error: " << result.error().what);
  return *result;
}

} // namespace

CAF_TEST(a heartbeat as Python sends it) {
  auto x = parsed(R"({"hostname": "celery@b", "utcoffset": 0, "pid": 77,
    "clock": 12, "freq": 2.0, "active": 0, "processed": 3,
    "loadavg": [0.1, 0.2, 0.3], "sw_ident": "py-celery", "sw_ver": "5.2.6",
    "sw_sys": "Linux", "timestamp": 1.5, "type": "worker-heartbeat"})");
  CAF_CHECK_EQUAL(static_cast<int>(x.what), static_cast<int>(kind::heartbeat));
  CAF_CHECK_EQUAL(x.hostname, "celery@b");
  CAF_CHECK_EQUAL(x.pid, 77);
  CAF_CHECK_EQUAL(x.clock, 12u);
  CAF_CHECK_EQUAL(x.freq.count(), 2000);
}

CAF_TEST(what strangers write is read as far as it goes) {
  auto with = [](const std::string& more) {
    return parsed(R"({"type": "worker-online", "hostname": "a")" + more + "}");
  };
  for (auto freq : {"null", "\"x\"", "0", "-1", "1e999"})
    CAF_CHECK_EQUAL(with(std::string{R"(, "freq": )"} + freq).freq.count() >= 500,
                    true);
  CAF_CHECK_EQUAL(with(R"(, "freq": null)").freq.count(), 2000);
  CAF_CHECK_EQUAL(with(R"(, "freq": 1e300)").freq.count(), 3'600'000);
  for (auto clock : {"null", "\"x\"", "-4", "1e300", "18446744073709551615"})
    CAF_CHECK_EQUAL(with(std::string{R"(, "clock": )"} + clock).clock, 0u);
  CAF_CHECK_EQUAL(with(R"(, "pid": "x")").pid, 0);
}

CAF_TEST(what is of no interest and what is malformed) {
  CAF_CHECK(parsed("[]").what == kind::other);
  CAF_CHECK(parsed(R"([{"type": "worker-online"}])").what == kind::other);
  CAF_CHECK(parsed("{}").what == kind::other);
  CAF_CHECK(parsed(R"({"type": "task-sent"})").what == kind::other);
  for (auto body : {"", "3", "{", R"({"type": "worker-online"})",
                    R"({"type": "worker-online", "hostname": 1})",
                    R"({"type": "worker-online", "hostname": "a\nb"})",
                    R"({"type": "worker-elect", "hostname": "a"})"})
    CAF_CHECK(!parse_worker_event(said(body)));
  CAF_CHECK(!parse_worker_event(
    said(R"({"type": "worker-online", "hostname": "a", "x": ")"
         + std::string(70'000, 'x') + "\"}")));
}

CAF_TEST(an election comes back as it was said) {
  std::string text;
  append_event(text, "worker-elect",
               elect_fields("x", "task", json::object{{"task", "tasks.add"}}),
               {node_name{"a@h"}, 7}, timestamp{}, 5);
  auto x = parsed(text);
  CAF_CHECK(x.what == kind::elect);
  CAF_CHECK_EQUAL(x.id, "x");
  CAF_CHECK_EQUAL(x.topic, "task");
  CAF_CHECK_EQUAL(to_json(x.action), R"({"task": "tasks.add"})");
  text.clear();
  append_event(text, "worker-elect-ack", elect_ack_fields("x"),
               {node_name{"a@h"}, 7}, timestamp{}, 6);
  CAF_CHECK(parsed(text).what == kind::elect_ack);
}
