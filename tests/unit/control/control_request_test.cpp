#define CAF_SUITE control_request

#include "protocol/control/control_request.hpp"

#include "protocol/message/envelope.hpp"

#include "tests/unit/dsl.hpp"

#include <csignal>

using namespace umbel;

namespace {

/// The envelope of a command with this body.
std::string command(const std::string& body) {
  envelope x;
  x.body = body;
  x.content_type = "application/json";
  x.content_encoding = "utf-8";
  return to_text(x);
}

control_request parsed(const std::string& body) {
  auto result = parse_control_request(command(body));
  if (!result)
    CAF_FAIL("unexpected error: " << result.error().what);
  return *result;
}

bool is_for(const std::string& rest, const char* node) {
  return parsed(R"({"method": "ping", "arguments": {})" + rest + "}")
    .is_for(node_name{node});
}

expected<revoke_request> revoke(const std::string& arguments,
                                const std::string& method = "revoke") {
  return parse_revoke_request(parsed(R"({"method": ")" + method
                                     + R"(", "arguments": )" + arguments
                                     + "}"));
}

} // namespace

CAF_TEST(a command as the client sends it) {
  auto x = parsed(R"({"method": "revoke", "arguments": {"task_id": "a",
                      "terminate": false, "signal": "SIGTERM"},
                      "destination": null, "pattern": null, "matcher": null})");
  CAF_CHECK_EQUAL(x.method, "revoke");
  CAF_CHECK(x.is_for(node_name{"celery@a"}));
  auto what = parse_revoke_request(x).value();
  CAF_REQUIRE_EQUAL(what.ids.size(), 1u);
  CAF_CHECK_EQUAL(what.ids[0].str(), "a");
  CAF_CHECK(!what.signal);
}

CAF_TEST(who is meant) {
  CAF_CHECK(is_for("", "celery@a"));
  CAF_CHECK(is_for(R"(, "destination": ["celery@b", "celery@a"])", "celery@a"));
  CAF_CHECK(!is_for(R"(, "destination": ["celery@b"])", "celery@a"));
  CAF_CHECK(!is_for(R"(, "destination": [])", "celery@a"));
  CAF_CHECK(is_for(R"(, "pattern": "*@a", "matcher": "glob")", "celery@a"));
  CAF_CHECK(!is_for(R"(, "pattern": "*@b", "matcher": "glob")", "celery@a"));
  CAF_CHECK(is_for(R"(, "pattern": "cel", "matcher": "pcre")", "celery@a"));
  CAF_CHECK(!is_for(R"(, "pattern": "@a", "matcher": "pcre")", "celery@a"));
  CAF_CHECK(!is_for(R"(, "pattern": "(", "matcher": "pcre")", "celery@a"));
  CAF_CHECK(!is_for(R"(, "pattern": "a", "matcher": "other")", "celery@a"));
}

CAF_TEST(a pattern without end does not end the process) {
  auto deep = std::string(100'000, '(') + std::string(100'000, ')');
  for (auto matcher : {"pcre", "glob"}) {
    auto x = parse_control_request(
      command(R"({"method": "ping", "pattern": ")" + deep
              + R"(", "matcher": ")" + matcher + R"("})"));
    CAF_CHECK(x.has_error() || !x->is_for(node_name{"celery@a"}));
  }
  auto longest = std::string(127, '(') + "cel" + std::string(126, ')');
  CAF_CHECK(!is_for(R"(, "matcher": "pcre", "pattern": ")" + longest + '"',
                    "celery@a")); // a bracket is missing
  CAF_CHECK(is_for(R"(, "matcher": "pcre", "pattern": "()" + longest.substr(2)
                     + '"',
                   "celery@a"));
}

CAF_TEST(signals have names and numbers) {
  auto signal = [](const std::string& x) {
    return revoke(R"({"task_id": ["a", "b"], "terminate": true, "signal": )"
                  + x + "}");
  };
  CAF_CHECK(signal("null")->signal == SIGTERM);
  CAF_CHECK(signal(R"("SIGKILL")")->signal == SIGKILL);
  CAF_CHECK(signal(R"("KILL")")->signal == SIGKILL);
  CAF_CHECK(signal("10")->signal == SIGUSR1);
  CAF_CHECK_EQUAL(signal("null")->ids.size(), 2u);
  for (auto x : {R"("kill")", R"("SIGNOTHING")", "0", "-1", "1000", "1.5", "{}",
                 R"("")", "true"})
    CAF_CHECK(signal(x).has_error());
  CAF_CHECK(revoke(R"({"task_id": "a"})", "terminate")->signal == SIGTERM);
}

CAF_TEST(what cannot be understood is an error) {
  for (auto body :
       {"", "[]", "1", "{}", R"({"method": null})", R"({"method": 1})",
        R"({"method": "x", "arguments": []})",
        R"({"method": "x", "destination": 1})",
        R"({"method": "x", "destination": [1]})",
        R"({"method": "x", "pattern": []})", "{\"method\"", "\xff\xfe"})
    CAF_CHECK(parse_control_request(command(body)).has_error());
  for (auto payload : {"", "{}", "[]", "rubbish", R"({"body": 1})"})
    CAF_CHECK(parse_control_request(payload).has_error());
  for (auto arguments : {"{}", R"({"task_id": null})", R"({"task_id": []})",
                         R"({"task_id": [1]})", R"({"task_id": {}})"})
    CAF_CHECK(revoke(arguments).has_error());
}
