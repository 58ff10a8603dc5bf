#define CAF_SUITE follow_ups

#include "tests/unit/dsl.hpp"

#include "protocol/task/exceptions.hpp"
#include "protocol/task/follow_ups.hpp"

#include <set>

using namespace umbel;

namespace {

json::value signature(const char* task, json::array args = {},
                      json::object options = {}, bool immutable = false) {
  return json::object{{"task", task},
                      {"args", std::move(args)},
                      {"kwargs", json::object{}},
                      {"options", std::move(options)},
                      {"subtask_type", nullptr},
                      {"immutable", immutable}};
}

/// The task "first" with id "id-1", root "root-1".
task_message ended(json::object embed) {
  task_call call;
  call.task = "first";
  call.id = "id-1";
  call.root_id = "root-1";
  call.embed = std::move(embed);
  return *parse_task_message(make_task_message(call));
}

json::value several(const char* kind, json::array tasks,
                    json::object options = {}) {
  auto to = signature((std::string{"celery."} + kind).c_str(), {},
                      std::move(options))
                .as_object();
  to["subtask_type"] = kind;
  to["kwargs"] = json::object{{"tasks", std::move(tasks)}};
  return to;
}

json::value chord(json::array header, json::value body) {
  auto to = signature("celery.chord").as_object();
  to["subtask_type"] = "chord";
  to["kwargs"] = json::object{{"header", std::move(header)},
                              {"body", std::move(body)},
                              {"kwargs", json::object{}}};
  return to;
}

std::vector<task_message> messages(const follow_ups& x) {
  std::vector<task_message> to;
  for (auto& y : x.publish)
    to.push_back(*parse_task_message(y.payload));
  return to;
}

std::vector<task_message> next_of(json::object embed,
                                  const json::value& result = 5) {
  return messages(after_success(ended(std::move(embed)), result, {}));
}

/// What is published with `text` in the gaps.
task_message filled(const gapped_message& x, std::string_view text) {
  std::string payload;
  for (auto& piece : x.payload) {
    if (&piece != &x.payload.front())
      payload += text;
    payload += piece;
  }
  return *parse_task_message(payload);
}

} // namespace

CAF_TEST(nothing follows by default) {
  CAF_CHECK(next_of({}).empty());
  CAF_CHECK(next_of({{"chain", json::array{}}}).empty());
}

CAF_TEST(a callback gets the result first) {
  auto next = next_of(
      {{"callbacks",
        json::array{signature("add", {10}, {{"task_id", "cb"}})}}});
  CAF_REQUIRE_EQUAL(next.size(), 1u);
  CAF_CHECK_EQUAL(next[0].header.task, "add");
  CAF_CHECK_EQUAL(next[0].header.id.str(), "cb");
  CAF_CHECK_EQUAL(next[0].header.root_id, "root-1");
  CAF_CHECK_EQUAL(next[0].header.parent_id, "id-1");
  CAF_CHECK_EQUAL(json::serialize(next[0].args), "[5,10]");
  CAF_CHECK_EQUAL(next[0].header.group, "");
}

CAF_TEST(an immutable callback gets its own arguments alone) {
  auto next = next_of(
      {{"callbacks", json::array{signature("add", {1, 2}, {}, true)}}});
  CAF_CHECK_EQUAL(json::serialize(next.at(0).args), "[1,2]");
}

CAF_TEST(several callbacks are a group) {
  auto next = next_of(
      {{"callbacks", json::array{signature("a"), signature("b")}}});
  CAF_REQUIRE_EQUAL(next.size(), 2u);
  CAF_CHECK_NOT_EQUAL(next[0].header.group, "");
  CAF_CHECK_EQUAL(next[0].header.group, next[1].header.group);
  CAF_CHECK_EQUAL(next[1].headers.at("group_index").as_int64(), 1);
}

CAF_TEST(the last of the chain is the next step) {
  auto embed = json::object{
      {"chain", json::array{signature("third"), signature("second", {1})}}};
  auto next = next_of(embed);
  CAF_REQUIRE_EQUAL(next.size(), 1u);
  CAF_CHECK_EQUAL(next[0].header.task, "second");
  CAF_CHECK_EQUAL(json::serialize(next[0].args), "[5,1]");
  auto& rest = next[0].embed.at("chain").as_array();
  CAF_REQUIRE_EQUAL(rest.size(), 1u);
  CAF_CHECK_EQUAL(rest[0].at("task").as_string(), "third");
  // The last step comes with an empty chain, not without one.
  embed = {{"chain", json::array{signature("second")}}};
  CAF_CHECK_EQUAL(json::serialize(next_of(embed).at(0).embed.at("chain")),
                  "[]");
}

CAF_TEST(the options of a signature become headers and routing) {
  auto options = json::object{{"queue", "q"},
                              {"priority", 6},
                              {"time_limit", 30},
                              {"soft_time_limit", 20},
                              {"reply_to", "me"},
                              {"countdown", 60},
                              {"group_id", "g"},
                              {"group_index", 3},
                              {"headers", json::object{{"x", 1}}},
                              {"link", signature("after")},
                              {"link_error", json::array{signature("oops")}}};
  auto begin = now();
  auto out = after_success(
      ended({{"callbacks", json::array{signature("t", {}, options)}}}), 5, {})
                 .publish;
  CAF_REQUIRE_EQUAL(out.size(), 1u);
  CAF_CHECK_EQUAL(out[0].queue.str(), "q");
  CAF_CHECK_EQUAL(out[0].priority, 6);
  auto next = *parse_task_message(out[0].payload);
  CAF_CHECK_EQUAL(json::serialize(next.headers.at("timelimit")), "[30,20]");
  CAF_CHECK_EQUAL(next.header.reply_to, "me");
  CAF_CHECK_EQUAL(next.header.group, "g");
  CAF_CHECK_EQUAL(next.headers.at("group_index").as_int64(), 3);
  CAF_CHECK_EQUAL(next.headers.at("x").as_int64(), 1);
  CAF_CHECK(*next.header.eta >= begin + std::chrono::seconds{60});
  CAF_CHECK_EQUAL(next.embed.at("callbacks").at(0).at("task").as_string(),
                  "after");
  CAF_CHECK_EQUAL(next.embed.at("errbacks").at(0).at("task").as_string(),
                  "oops");
}

CAF_TEST(without a queue it goes to the default one) {
  runner_settings settings;
  settings.routing =
    std::make_shared<const routing>(routing{.default_queue = "mine"});
  auto out = after_success(ended({{"callbacks", json::array{signature("t")}}}),
                           5, settings)
                 .publish;
  CAF_CHECK_EQUAL(out.at(0).queue.str(), "mine");
}

CAF_TEST(errbacks get the id of what failed) {
  auto out = after_failure(
      ended({{"errbacks", json::array{signature("oops", {1})}}}),
      exception_info{"ValueError", {"no"}, "builtins", {}}, {})
                 .publish;
  CAF_REQUIRE_EQUAL(out.size(), 1u);
  auto next = *parse_task_message(out[0].payload);
  CAF_CHECK_EQUAL(json::serialize(next.args), R"(["id-1",1])");
  CAF_CHECK_EQUAL(next.header.parent_id, "id-1");
  CAF_CHECK_EQUAL(next.header.root_id, "root-1");
  CAF_CHECK_NOT_EQUAL(next.header.group, "");
}

CAF_TEST(a group as the next step is all its tasks) {
  auto next = next_of({{"chain", json::array{several(
      "group", {signature("a", {1}), signature("b", {2}, {}, true)},
      {{"task_id", "g"}})}}});
  CAF_REQUIRE_EQUAL(next.size(), 2u);
  CAF_CHECK_EQUAL(json::serialize(next[0].args), "[5,1]");
  CAF_CHECK_EQUAL(json::serialize(next[1].args), "[2]");
  CAF_CHECK_EQUAL(next[0].header.group, "g");
  CAF_CHECK_EQUAL(next[1].headers.at("group_index").as_int64(), 1);
}

CAF_TEST(a chain as a callback is its first task with the others behind) {
  auto next = next_of({{"callbacks", json::array{several(
      "chain", {signature("a"), several("chain", {signature("b"),
                                                  signature("c")})})}}});
  CAF_REQUIRE_EQUAL(next.size(), 1u);
  CAF_CHECK_EQUAL(next[0].header.task, "a");
  auto& rest = next[0].embed.at("chain").as_array();
  CAF_REQUIRE_EQUAL(rest.size(), 2u);
  CAF_CHECK_EQUAL(rest[0].at("task").as_string(), "c");
}

CAF_TEST(a group with something behind it is a chord) {
  auto ends = after_success(
      ended({{"callbacks",
              json::array{several(
                  "chain", {several("group", {signature("a"), signature("b")}),
                            signature("sum", {}, {{"task_id", "s"}})})}}}),
      5, {});
  auto next = messages(ends);
  CAF_REQUIRE_EQUAL(next.size(), 2u);
  CAF_CHECK_EQUAL(next[1].embed.at("chord").at("task").as_string(), "sum");
  CAF_REQUIRE_EQUAL(ends.workflow.groups.size(), 1u);
  CAF_CHECK_EQUAL(ends.workflow.groups[0].group, next[0].header.group);
  CAF_CHECK_EQUAL(ends.workflow.groups[0].text, "2");
  // Whoever looks at the task that ended finds the body.
  CAF_CHECK_EQUAL(json::serialize(ends.children), R"([[["s",null],null]])");
}

CAF_TEST(chunks are a group of starmaps) {
  auto chunks = signature("celery.chunks", {}, {}, true).as_object();
  chunks["subtask_type"] = "chunks";
  chunks["kwargs"] = json::object{{"task", signature("add")},
                                  {"it", {{1, 1}, {2, 2}, {3, 3}}},
                                  {"n", 2}};
  auto next = next_of({{"callbacks", json::array{chunks}}});
  CAF_REQUIRE_EQUAL(next.size(), 2u);
  CAF_CHECK_EQUAL(next[0].header.task, "celery.starmap");
  CAF_CHECK_EQUAL(json::serialize(next[1].kwargs.at("it")), "[[3,3]]");
}

CAF_TEST(a part of a chord carries the body with a gap for the results) {
  auto message = ended({{"chord", signature("sum", {7}, {{"task_id", "s"}})}});
  message.header.group = "g";
  message.headers["group_index"] = 3;
  auto ends = after_success(message, json::object{{"x", 1}}, {});
  CAF_REQUIRE_EQUAL(ends.workflow.parts.size(), 1u);
  auto& part = ends.workflow.parts[0];
  CAF_CHECK_EQUAL(part.group, "g");
  CAF_CHECK_EQUAL(part.index.value_or(-1), 3);
  CAF_CHECK_EQUAL(part.member.at(0),
                  R"([1, "id-1", "SUCCESS", {"x": 1}])");
  CAF_REQUIRE_EQUAL(part.body.size(), 1u);
  auto body = filled(part.body[0], R"([1, \"two\"])");
  CAF_CHECK_EQUAL(json::serialize(body.args), R"([[1,"two"],7])");
  CAF_CHECK_EQUAL(body.header.id.str(), "s");
  CAF_CHECK_EQUAL(body.header.root_id, "root-1");
}

CAF_TEST(a body whose queue may not be made is a reason to fail) {
  runner_settings settings;
  settings.routing =
    std::make_shared<const routing>(routing{.create_missing = false});
  auto message = ended({{"chord", signature("sum", {}, {{"task_id", "s"},
                                                        {"queue", "nowhere"}})}});
  message.header.group = "g";
  auto ends = after_success(message, 1, settings);
  CAF_REQUIRE_EQUAL(ends.workflow.parts.size(), 1u);
  auto& part = ends.workflow.parts[0];
  CAF_CHECK(part.body.empty());
  CAF_CHECK_EQUAL(part.reason, "The chord's body cannot be sent: Queue 'nowhere' "
                               "missing from task_queues");
  CAF_REQUIRE_EQUAL(ends.problems.size(), 1u);
  CAF_CHECK(ends.problems[0].starts_with("the chord's body s cannot be sent: "));
  auto copy = parse_workflow_steps(to_json_text(ends.workflow)).value();
  CAF_CHECK_EQUAL(copy.parts.at(0).reason, part.reason);
}

CAF_TEST(an errback whose queue may not be made is said) {
  runner_settings settings;
  settings.routing =
    std::make_shared<const routing>(routing{.create_missing = false});
  auto ends = after_failure(
    ended({{"errbacks", json::array{signature("oops", {}, {{"queue", "nowhere"}})}}}),
    exception_info{"ValueError", {"no"}, "builtins", {}}, settings);
  CAF_CHECK(ends.publish.empty());
  CAF_REQUIRE_EQUAL(ends.problems.size(), 1u);
  CAF_CHECK_EQUAL(ends.problems[0], "an errback cannot be sent: Queue 'nowhere' "
                                    "missing from task_queues");
}

CAF_TEST(when a part fails so does the body and the chord that it is a part of) {
  auto outer = signature("outer", {}, {{"task_id", "o"}});
  auto body = signature("sum", {},
                        {{"task_id", "s"},
                         {"group_id", "outer-group"},
                         {"chord", outer},
                         {"link_error", json::array{signature("oops")}}});
  auto message = ended({{"chord", body}});
  message.header.group = "g";
  auto ends = after_failure(
      message, exception_info{"ValueError", {"no"}, "builtins", {}}, {});
  CAF_REQUIRE_EQUAL(ends.workflow.parts.size(), 1u);
  auto& part = ends.workflow.parts[0];
  CAF_REQUIRE_EQUAL(part.failures.size(), 1u);
  CAF_CHECK_EQUAL(part.failures[0].id.str(), "s");
  CAF_CHECK_EQUAL(part.failures[0].document.size(), 2u);
  CAF_REQUIRE_EQUAL(part.errbacks.size(), 1u);
  auto errback = filled(part.errbacks[0], "");
  CAF_CHECK_EQUAL(json::serialize(errback.args), R"(["s"])");
  CAF_REQUIRE_EQUAL(part.outer.size(), 1u);
  CAF_CHECK_EQUAL(part.outer[0].group, "outer-group");
  CAF_CHECK_EQUAL(part.outer[0].failures.at(0).id.str(), "o");
}

CAF_TEST(when a task fails so do all later steps of its chain) {
  auto ends = after_failure(
      ended({{"chain",
              json::array{chord({signature("h", {}, {{"task_id", "h"}})},
                                signature("b", {}, {{"task_id", "b"}})),
                          signature("second", {}, {{"task_id", "2"}})}}}),
      exception_info{"ValueError", {"no"}, "builtins", {}}, {});
  std::set<std::string> lost;
  for (auto& x : ends.workflow.results) {
    lost.insert(x.id.str());
    CAF_CHECK_NOT_EQUAL(x.document.find("ValueError"), std::string::npos);
  }
  CAF_CHECK_EQUAL(lost, (std::set<std::string>{"h", "b", "2"}));
}

CAF_TEST(a signature that is none fails the task) {
  auto broken = json::object{{"task", 7}};
  auto refused = [](json::object embed) {
    try {
      next_of(std::move(embed));
      return false;
    } catch (const umbel::exception& e) {
      return e.type() == "ValueError";
    }
  };
  CAF_CHECK(refused({{"callbacks", json::array{broken}}}));
  CAF_CHECK(refused({{"chain", json::array{several("chain", {7})}}}));
}

CAF_TEST(the steps of a workflow survive a round trip) {
  auto message = ended({{"chord", signature("sum", {}, {{"task_id", "s"}})}});
  message.header.group = "g";
  auto ends = after_failure(
      message, exception_info{"ValueError", {"no"}, "builtins", {}}, {});
  auto text = to_json_text(ends.workflow);
  CAF_CHECK_EQUAL(to_json_text(parse_workflow_steps(text).value()), text);
  CAF_CHECK_EQUAL(to_json_text({}), "");
  for (auto bad : {"[]", "{}", R"({"results": [], "groups": [[1]], "parts": []})",
                   R"({"results": [], "groups": [], "parts": [{}]})"})
    CAF_CHECK(!parse_workflow_steps(bad));
}
