#define CAF_SUITE task_message

#include "tests/unit/dsl.hpp"

#include "tests/unit/message/vectors.hpp"

#include <cmath>

using namespace umbel;
using test::reason;
using test::set_body;
using test::text_of;
using test::vector_object;
using test::vector_text;

namespace {

task_message message_of(const std::string& name) {
  return parse_task_message(vector_text(name)).value();
}

expected<task_message> with_body(const std::string& name,
                                 std::string_view body) {
  auto x = vector_object(name);
  set_body(x, body);
  return parse_task_message(text_of(x));
}

std::string why(std::string_view body) {
  return reason(with_body("plain", body));
}

std::string why_v1(std::string_view body) {
  return reason(with_body("v1_plain", body));
}

} // namespace

CAF_TEST(every captured message is decoded) {
  auto names = test::vector_names();
  CAF_CHECK(names.size() >= 40);
  for (auto& name : names) {
    auto text = vector_text(name);
    auto msg = parse_task_message(text);
    CAF_CHECK_EQUAL(reason(msg), "");
    auto header = read_task_header(text);
    CAF_CHECK_EQUAL(reason(header), "");
    if (!msg || !header)
      continue;
    CAF_CHECK(msg->header.id == header->id);
    CAF_CHECK_EQUAL(msg->header.task, header->task);
    CAF_CHECK(msg->header.eta == header->eta);
    CAF_CHECK(msg->header.expires == header->expires);
    CAF_CHECK_EQUAL(msg->header.group, header->group);
    CAF_CHECK_EQUAL(msg->protocol, name.rfind("v1_", 0) == 0 ? 1 : 2);
    CAF_CHECK(msg->properties.contains("delivery_tag"));
  }
}

CAF_TEST(arguments) {
  CAF_CHECK_EQUAL(to_json(message_of("plain").args), "[2, 3]");
  CAF_CHECK(message_of("plain").kwargs.empty());
  CAF_CHECK(message_of("kwargs").args.empty());
  CAF_CHECK_EQUAL(to_json(message_of("kwargs").kwargs), R"({"x": 2, "y": 3})");
  CAF_CHECK_EQUAL(to_json(message_of("unicode").args),
                  R"(["Zellerie \u2013 \u2618 \ud834\udd1e", "tab\there", )"
                  R"("quote's \"both\"", "\u0000\u007f"])");
  CAF_CHECK_EQUAL(to_json(message_of("not_a_number").args),
                  R"([NaN, Infinity, [-Infinity], "NaN in text"])");
  CAF_CHECK_EQUAL(to_json(message_of("numbers").args),
                  "[0.1, 1e-07, 1e+16, 123456789.123, 5e-324, -0.0, 8.0, "
                  "9223372036854775808, 1.8446744073709552e+19, "
                  "-9223372036854775808, 1e+30, 0.30000000000000004]");
  auto msg = message_of("nested");
  auto x = &msg.args.at(0);
  for (int i = 0; i < 60; ++i)
    x = x->is_array() ? &x->at(0) : &x->at("down");
  CAF_CHECK(*x == "bottom");
}

CAF_TEST(headers and properties are kept) {
  auto msg = message_of("headers");
  CAF_CHECK(msg.headers.at("tenant") == "acme");
  CAF_CHECK(msg.headers.at("attempt") == 7);
  CAF_CHECK(msg.headers.at("origin") == "gen123@example");
  CAF_CHECK(message_of("retry").properties.contains("origin"));
  CAF_CHECK(message_of("exchange").properties.at("delivery_info").at("exchange")
            == "orders");
}

CAF_TEST(what follows a task) {
  CAF_CHECK(message_of("plain").embed.at("chain").is_null());
  auto link = message_of("link").embed.at("callbacks").as_array();
  CAF_CHECK_EQUAL(link.size(), 1u);
  CAF_CHECK(link[0].at("task") == "tasks.add");
  auto both = message_of("links_and_errbacks").embed;
  CAF_CHECK_EQUAL(both.at("callbacks").as_array().size(), 2u);
  CAF_CHECK_EQUAL(both.at("errbacks").as_array().size(), 1u);
  // A chain's steps are in reverse order.
  auto chain = message_of("chain").embed.at("chain").as_array();
  CAF_CHECK_EQUAL(chain.size(), 2u);
  CAF_CHECK(chain[1].at("task") == "tasks.add");
  CAF_CHECK(message_of("chord_1").embed.at("chord").at("task") == "tasks.echo");
  CAF_CHECK(message_of("chord_2").headers.at("group_index") == 1);
}

CAF_TEST(protocol 1 is translated) {
  auto msg = message_of("v1_eta");
  CAF_CHECK_EQUAL(to_json(msg.args), "[2, 3]");
  CAF_CHECK(msg.headers.at("task") == "tasks.add");
  CAF_CHECK_EQUAL(to_json(msg.headers.at("timelimit")), "[30, 20]");
  auto kwargs = message_of("v1_kwargs");
  CAF_CHECK_EQUAL(to_json(kwargs.kwargs), R"({"x": 2, "y": 3})");
  CAF_CHECK(kwargs.headers.at("tenant") == "acme");
  auto links = message_of("v1_links").embed;
  CAF_CHECK_EQUAL(links.at("callbacks").as_array().size(), 1u);
  CAF_CHECK_EQUAL(links.at("errbacks").as_array().size(), 1u);
  CAF_CHECK(links.at("chain").is_null());
  CAF_CHECK(message_of("v1_group").headers.at("group_index") == 1);
  CAF_CHECK(message_of("v1_group").headers.at("group") == "group-1");
}

CAF_TEST(protocol 1 with little) {
  auto msg = with_body("v1_plain", R"({"task": "t", "id": "1"})").value();
  CAF_CHECK(msg.args.empty());
  CAF_CHECK(msg.kwargs.empty());
  CAF_CHECK_EQUAL(msg.protocol, 1);
  CAF_CHECK_EQUAL(why_v1(R"({"task": "t", "id": 1})"),
                  "header id is a number (1), not a string");
  CAF_CHECK_EQUAL(why_v1(R"({"task": "t", "id": "1", "kwargs": []})"),
                  "body: kwargs is a list ([]), not a mapping");
  CAF_CHECK_EQUAL(why_v1(R"({"task": "t", "id": "1", "utc": "x"})"),
                  "utc is a string, not true or false");
  CAF_CHECK_EQUAL(why_v1("[[], {}, {}]"),
                  "not a task message: no header 'task', and the body is not "
                  "a mapping of protocol 1");
}

CAF_TEST(hybrid messages) {
  auto msg = with_body("plain", R"({"args": [1], "kwargs": {"a": 2},
                                    "callbacks": [{"task": "t"}]})")
                 .value();
  CAF_CHECK_EQUAL(to_json(msg.args), "[1]");
  CAF_CHECK_EQUAL(to_json(msg.kwargs), R"({"a": 2})");
  CAF_CHECK_EQUAL(msg.header.task, "tasks.add");
  CAF_CHECK_EQUAL(msg.embed.at("callbacks").as_array().size(), 1u);
}

CAF_TEST(raw bodies and null embeds are accepted) {
  auto msg = parse_task_message(R"({"body": "[[1], {}, null]", "headers":
    {"id": "1", "task": "t"}, "content-type": "application/json"})");
  CAF_CHECK_EQUAL(reason(msg), "");
  CAF_CHECK_EQUAL(to_json(msg.value().args), "[1]");
  CAF_CHECK(msg.value().embed.empty());
}

CAF_TEST(bodies that kill or mislead a Python worker) {
  const std::pair<const char*, const char*> examples[]{
      {"", "body: not JSON: incomplete JSON at byte 0 of 0"},
      {"[[], {}, {}", "body: not JSON: incomplete JSON at byte 11 of 11"},
      {"[[], {}]", "body: 2 elements, not the 3 of [args, kwargs, embed]"},
      {"[[], {}, {}, 1]",
       "body: 4 elements, not the 3 of [args, kwargs, embed]"},
      {"\"x\"", "body is a string ('x'), not a list [args, kwargs, embed]"},
      {"null", "body is null (None), not a list [args, kwargs, embed]"},
      {"[{}, {}, {}]", "body: args is an object ({}), not a list"},
      {"[null, {}, {}]", "body: args is null (None), not a list"},
      {"[[], [], {}]", "body: kwargs is a list ([]), not a mapping"},
      {"[[], null, {}]", "body: kwargs is null (None), not a mapping"},
      {"[[], {}, 1]", "body: embed is a number (1), not a mapping or null"},
      {R"([[], {}, {"callbacks": {}}])",
       "body: callbacks is an object ({}), not a list or null"},
      {R"([[], {}, {"chain": [{}, 5]}])",
       "body: chain[1] is a number (5), not a signature"},
      {R"([[], {}, {"chord": []}])",
       "body: chord is a list ([]), not a signature or null"},
      {R"([[{"__type__": "x", "__value__": 1}], {}, {}])",
       "body: unknown __type__ 'x' at [0][0]"},
  };
  for (auto& [body, want] : examples)
    CAF_CHECK_EQUAL(why(body), want);
  CAF_CHECK(why("[[" + std::string(600, '[')).find("too deep")
            != std::string::npos);
}

CAF_TEST(known tags stay objects) {
  auto msg = with_body("plain", R"([[{"__type__": "decimal", "__value__":
                                      "1.5"}], {}, {}])");
  CAF_CHECK_EQUAL(to_json(msg.value().args),
                  R"([{"__type__": "decimal", "__value__": "1.5"}])");
}
