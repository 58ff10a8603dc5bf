#define CAF_SUITE envelope

#include "tests/unit/dsl.hpp"

#include "tests/unit/message/vectors.hpp"

using namespace umbel;
using test::reason;

namespace {

json::object written(const envelope& x) {
  return parse_json(to_text(x)).value().as_object();
}

} // namespace

CAF_TEST(a captured envelope) {
  auto x = parse_envelope(test::vector_text("headers")).value();
  CAF_CHECK_EQUAL(x.content_type, "application/json");
  CAF_CHECK_EQUAL(x.content_encoding, "utf-8");
  CAF_CHECK_EQUAL(x.body, R"([[2, 3], {}, {"callbacks": null, "errbacks": )"
                          R"(null, "chain": null, "chord": null}])");
  CAF_CHECK_EQUAL(to_json(x.headers.at("nested")), R"({"a": [1, null]})");
  CAF_CHECK_EQUAL(to_json(x.properties.at("delivery_info")),
                  R"({"exchange": "", "routing_key": "celery"})");
}

CAF_TEST(every captured envelope is written again byte for byte) {
  for (auto& name : test::vector_names()) {
    auto text = test::vector_text(name);
    CAF_CHECK_EQUAL(to_text(parse_envelope(text).value()), text);
  }
}

CAF_TEST(what is missing is read as empty) {
  auto x = parse_envelope(R"({"body": "text"})").value();
  CAF_CHECK_EQUAL(x.body, "text");
  CAF_CHECK_EQUAL(x.content_type, "");
  CAF_CHECK(x.headers.empty());
  CAF_CHECK(x.properties.empty());
  auto y = parse_envelope(R"({"body": "[]", "headers": null, "properties":
    {"body_encoding": "utf-8"}, "content-type": null})");
  CAF_CHECK_EQUAL(y.value().body, "[]");
}

CAF_TEST(what is no envelope is malformed) {
  const std::pair<const char*, const char*> examples[]{
      {"", "envelope: not JSON: incomplete JSON at byte 0 of 0"},
      {"[]", "envelope: a list instead of an object"},
      {"{}", "envelope: body is missing, not a string"},
      {R"({"body": {}})", "envelope: body is an object, not a string"},
      {R"({"body": "", "headers": []})",
       "envelope: headers is a list, not an object"},
      {R"({"body": "", "properties": "x"})",
       "envelope: properties is a string, not an object"},
      {R"({"body": "", "content-type": 1})",
       "envelope: content-type is a number, not a string"},
      {R"({"body": "", "content-encoding": true})",
       "envelope: content-encoding is a boolean, not a string"},
      {R"({"body": "", "properties": {"body_encoding": "rot13"}})",
       "envelope: body_encoding 'rot13' is neither base64 nor utf-8"},
      {R"({"body": "W10", "properties": {"body_encoding": "base64"}})",
       "body: base64: wrong padding at character 3"},
  };
  for (auto& [text, want] : examples)
    CAF_CHECK_EQUAL(reason(parse_envelope(text)), want);
}

CAF_TEST(writing fills in what a consumer needs) {
  envelope x;
  x.body = "[]";
  auto y = written(x);
  auto tag = y.at("properties").at("delivery_tag").as_string();
  CAF_CHECK_EQUAL(tag.size(), 36u);
  y["properties"].as_object()["delivery_tag"] = "T";
  CAF_CHECK_EQUAL(test::text_of(y),
                  R"({"body": "W10=", "headers": {}, "properties": )"
                  R"({"delivery_mode": 2, "delivery_info": {"exchange": "", )"
                  R"("routing_key": "celery"}, "priority": 0, )"
                  R"("body_encoding": "base64", "delivery_tag": "T"}})");
  auto other = written(x).at("properties").at("delivery_tag").as_string();
  CAF_CHECK(other != tag);
}

CAF_TEST(writing keeps what is given) {
  envelope x;
  x.properties = {{"delivery_mode", 1},
                  {"priority", 9},
                  {"custom", "kept"},
                  {"delivery_tag", "mine"},
                  {"body_encoding", "utf-8"},
                  {"delivery_info", {{"exchange", "e"}, {"x", 1}}}};
  auto y = written(x).at("properties").as_object();
  CAF_CHECK_EQUAL(y.at("delivery_mode").as_int64(), 1);
  CAF_CHECK_EQUAL(y.at("priority").as_int64(), 9);
  CAF_CHECK(y.at("custom") == "kept");
  CAF_CHECK(y.at("delivery_tag") == "mine");
  CAF_CHECK(y.at("body_encoding") == "base64");
  CAF_CHECK_EQUAL(to_json(y.at("delivery_info")),
                  R"({"exchange": "e", "x": 1, "routing_key": "celery"})");
}

CAF_TEST(marking as redelivered does what kombu does) {
  // The captured one differs from a plain one in nothing else.
  auto plain = test::vector_object("redelivered");
  plain["headers"].as_object().erase("redelivered");
  plain["properties"].at("delivery_info").as_object().erase("redelivered");
  auto marked = mark_redelivered(test::text_of(plain)).value();
  CAF_CHECK_EQUAL(marked, test::vector_text("redelivered"));
  CAF_CHECK_EQUAL(mark_redelivered(marked).value(), marked);
}

CAF_TEST(marking makes what is missing and keeps what is unknown) {
  CAF_CHECK_EQUAL(mark_redelivered(R"({"body": "", "other": [1]})").value(),
                  R"({"body": "", "other": [1], "headers": {"redelivered": )"
                  R"(true}, "properties": {"delivery_info": )"
                  R"({"redelivered": true}}})");
  CAF_CHECK_EQUAL(reason(mark_redelivered("[]")),
                  "envelope: a list instead of an object");
}
