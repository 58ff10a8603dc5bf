#define CAF_SUITE control_reply

#include "protocol/control/control_reply.hpp"

#include "protocol/message/envelope.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;

namespace {

std::string answer(const std::string& body, json::object headers) {
  envelope x;
  x.body = body;
  x.content_type = "application/json";
  x.content_encoding = "utf-8";
  x.headers = std::move(headers);
  return to_text(x);
}

} // namespace

CAF_TEST(what is written is read) {
  reply_address to{"reply.celery.pidbox", "me", "ticket"};
  auto payload = make_control_reply(node_name{"celery@a"},
                                    json::object{{"ok", "pong"}}, to, 7);
  auto x = parse_control_reply(payload);
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(x->ticket, "ticket");
  CAF_CHECK_EQUAL(x->clock, 7u);
  CAF_REQUIRE_EQUAL(x->answers.size(), 1u);
  CAF_CHECK_EQUAL(x->answers[0].first.str(), "celery@a");
  CAF_CHECK_EQUAL(to_json(x->answers[0].second), R"({"ok": "pong"})");
}

CAF_TEST(a clock that is none does not matter) {
  for (json::value clock : {json::value{}, json::value("1"), json::value(-3)}) {
    auto x = parse_control_reply(
      answer(R"({"a": null})", {{"ticket", "t"}, {"clock", clock}}));
    CAF_REQUIRE(x.has_value());
    CAF_CHECK_EQUAL(x->clock, 0u);
    CAF_CHECK(x->answers[0].second.is_null());
  }
}

CAF_TEST(what cannot be understood is an error) {
  for (auto body : {"", "[]", "1", "null", "{\"a\"", "\xff"})
    CAF_CHECK(parse_control_reply(answer(body, {{"ticket", "t"}})).has_error());
  CAF_CHECK(parse_control_reply(answer("{}", {})).has_error());
  CAF_CHECK(parse_control_reply(answer("{}", {{"ticket", 1}})).has_error());
  for (auto payload : {"", "{}", "[]", "rubbish", R"({"body": 1})"})
    CAF_CHECK(parse_control_reply(payload).has_error());
}
