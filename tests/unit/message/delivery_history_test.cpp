#define CAF_SUITE delivery_history

#include "protocol/message/delivery_history.hpp"

#include "tests/unit/dsl.hpp"

#include "protocol/message/task_message.hpp"

using namespace umbel;

namespace {

const std::string plain =
  R"({"body": "W1tdLCB7fSwgbnVsbF0=", "content-type": "application/json", )"
  R"("headers": {"task": "t", "id": "1"}, "properties": {"body_encoding": )"
  R"("base64", "delivery_info": {"exchange": ""}}})";

std::string with_header(const std::string& value) {
  auto doc = parse_json(plain).value();
  auto& headers = doc.get_object()["headers"].get_object();
  headers[deliveries_header] = parse_json(value).value();
  headers["redelivered"] = true;
  return to_json(doc);
}

} // namespace

CAF_TEST(a_new_message_has_none) {
  auto x = read_history(plain);
  CAF_CHECK_EQUAL(x.count, 0u);
  CAF_CHECK(x.notes.empty());
}

CAF_TEST(what_was_noted_is_read_again) {
  delivery_history x;
  x.add({timestamp{std::chrono::seconds{5}}, "a@h", ""});
  x.add({timestamp{std::chrono::seconds{6}}, "b@h", "signal 9 (SIGKILL)"});
  auto text = with_history(plain, x).value();
  auto y = read_history(text);
  CAF_CHECK_EQUAL(y.count, 2u);
  CAF_REQUIRE_EQUAL(y.notes.size(), 2u);
  CAF_CHECK_EQUAL(y.notes[0].node, "a@h");
  CAF_CHECK_EQUAL(y.notes[0].end, "");
  CAF_CHECK(y.notes[1].at == timestamp{std::chrono::seconds{6}});
  CAF_CHECK_EQUAL(y.notes[1].end, "signal 9 (SIGKILL)");
}

CAF_TEST(old_notes_go_and_stay_counted) {
  delivery_history x;
  for (int i = 0; i < 30; ++i)
    x.add({timestamp{}, std::to_string(i), ""});
  CAF_CHECK_EQUAL(x.count, 30u);
  CAF_CHECK_EQUAL(x.notes.size(), delivery_history::notes_max);
  CAF_CHECK_EQUAL(x.notes.back().node, "29");
}

CAF_TEST(the_header_of_a_task_has_the_count_if_it_was_redelivered) {
  auto x = read_task_header(with_header(R"({"count": 3, "notes": []})"));
  CAF_CHECK_EQUAL(x.value().deliveries, 3u);
  CAF_CHECK_EQUAL(read_task_header(plain).value().deliveries, 0u);
}

CAF_TEST(what_a_stranger_wrote_is_nothing) {
  for (auto value : {"null", "5", "\"x\"", "[]", "{}", R"({"count": "3"})",
                     R"({"count": -1})", R"({"count": 1e300})",
                     R"({"count": 0, "notes": [1, null, {"at": 7}]})"}) {
    auto text = with_header(value);
    CAF_CHECK_EQUAL(read_history(text).count, 0u);
    CAF_CHECK_EQUAL(read_task_header(text).value().deliveries, 0u);
  }
  CAF_CHECK_EQUAL(read_history("no envelope").count, 0u);
  CAF_CHECK(!with_history("no envelope", {}).has_value());
}

CAF_TEST(as_new_forgets_deliveries_and_nothing_else) {
  auto text = mark_redelivered(with_header(R"({"count": 3})")).value();
  auto x = parse_envelope(as_new(text)).value();
  CAF_CHECK(!x.headers.contains(deliveries_header));
  CAF_CHECK(!x.headers.contains("redelivered"));
  CAF_CHECK_EQUAL(read_task_header(as_new(text)).value().redelivered, false);
  CAF_CHECK_EQUAL(as_new(plain), plain);
  CAF_CHECK_EQUAL(as_new("no envelope"), "no envelope");
}
