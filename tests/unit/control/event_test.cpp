#define CAF_SUITE event

#include "protocol/control/event.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;

namespace {

const event_source self{node_name{"celery@a"}, 42};

timestamp at(double seconds) {
  return timestamp{std::chrono::microseconds{
    static_cast<int64_t>(seconds * 1'000'000)}};
}

std::string one(std::string_view type, const json::object& fields = {}) {
  std::string result;
  append_event(result, type, fields, self, at(1.5), 9);
  return result;
}

expected<event_batch> parsed(const std::string& body) {
  return parse_events(make_event_message(body, "task.multi", self));
}

} // namespace

CAF_TEST(what is written is read) {
  auto x = parsed(one("task-started", {{"uuid", "id"}, {"runtime", 0.5}}));
  CAF_REQUIRE(x.has_value());
  CAF_REQUIRE_EQUAL(x->events.size(), 1u);
  auto& e = x->events[0];
  CAF_CHECK_EQUAL(e.type, "task-started");
  CAF_CHECK_EQUAL(e.node.str(), "celery@a");
  CAF_CHECK(e.time == at(1.5));
  CAF_CHECK_EQUAL(e.clock, 9u);
  CAF_CHECK_EQUAL(e.text("uuid"), "id");
  CAF_CHECK(e.number("runtime") == 0.5);
  CAF_CHECK(e.number("pid") == 42);
  CAF_CHECK_EQUAL(e.text("runtime"), "");
  CAF_CHECK(!e.number("uuid"));
}

CAF_TEST(several at once) {
  auto x = parsed("[" + one("task-received") + ", 3, {}, "
                  + one("task-started") + "]");
  CAF_REQUIRE(x.has_value());
  CAF_REQUIRE_EQUAL(x->events.size(), 2u);
  CAF_CHECK_EQUAL(x->events[1].type, "task-started");
  CAF_CHECK_EQUAL(x->malformed, 2u);
}

CAF_TEST(fields of any type are borne) {
  auto x = parsed(R"({"type": "x", "hostname": 1, "timestamp": "now",
                      "clock": null})");
  CAF_REQUIRE(x.has_value());
  auto& e = x->events[0];
  CAF_CHECK(e.node.empty());
  CAF_CHECK(e.time == timestamp{});
  CAF_CHECK_EQUAL(e.clock, 0u);
  for (auto time : {"1e300", "-1e300", "Infinity", "NaN"})
    CAF_CHECK(parsed(R"({"type": "x", "timestamp": )" + std::string{time} + "}")
                .has_value());
}

CAF_TEST(what cannot be understood is an error) {
  for (auto body : {"", "1", "null", "{}", R"({"type": ""})", R"({"type": 1})",
                    "{\"type\"", "\xff"})
    CAF_CHECK(parsed(body).has_error());
  for (auto payload : {"", "{}", "[]", "rubbish"})
    CAF_CHECK(parse_events(payload).has_error());
}
