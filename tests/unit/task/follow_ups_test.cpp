#define CAF_SUITE follow_ups

#include "tests/unit/dsl.hpp"

#include "protocol/task/follow_ups.hpp"

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

std::vector<task_message> after_success(json::object embed,
                                        const json::value& result = 5) {
  std::vector<outgoing_message> out;
  add_success_follow_ups(out, ended(std::move(embed)), result, {});
  std::vector<task_message> to;
  for (auto& x : out)
    to.push_back(*parse_task_message(x.payload));
  return to;
}

} // namespace

CAF_TEST(nothing follows by default) {
  CAF_CHECK(after_success({}).empty());
  CAF_CHECK(after_success({{"chain", json::array{}}}).empty());
}

CAF_TEST(a callback gets the result first) {
  auto next = after_success(
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
  auto next = after_success(
      {{"callbacks", json::array{signature("add", {1, 2}, {}, true)}}});
  CAF_CHECK_EQUAL(json::serialize(next.at(0).args), "[1,2]");
}

CAF_TEST(several callbacks are a group) {
  auto next = after_success(
      {{"callbacks", json::array{signature("a"), signature("b")}}});
  CAF_REQUIRE_EQUAL(next.size(), 2u);
  CAF_CHECK_NOT_EQUAL(next[0].header.group, "");
  CAF_CHECK_EQUAL(next[0].header.group, next[1].header.group);
  CAF_CHECK_EQUAL(next[1].headers.at("group_index").as_int64(), 1);
}

CAF_TEST(the last of the chain is the next step) {
  auto embed = json::object{
      {"chain", json::array{signature("third"), signature("second", {1})}}};
  auto next = after_success(embed);
  CAF_REQUIRE_EQUAL(next.size(), 1u);
  CAF_CHECK_EQUAL(next[0].header.task, "second");
  CAF_CHECK_EQUAL(json::serialize(next[0].args), "[5,1]");
  auto& rest = next[0].embed.at("chain").as_array();
  CAF_REQUIRE_EQUAL(rest.size(), 1u);
  CAF_CHECK_EQUAL(rest[0].at("task").as_string(), "third");
  // The last step comes with an empty chain, not without one.
  embed = {{"chain", json::array{signature("second")}}};
  CAF_CHECK_EQUAL(json::serialize(after_success(embed).at(0).embed.at("chain")),
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
  std::vector<outgoing_message> out;
  add_success_follow_ups(
      out, ended({{"callbacks", json::array{signature("t", {}, options)}}}), 5,
      {});
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
  settings.task_default_queue = "mine";
  std::vector<outgoing_message> out;
  add_success_follow_ups(
      out, ended({{"callbacks", json::array{signature("t")}}}), 5, settings);
  CAF_CHECK_EQUAL(out.at(0).queue.str(), "mine");
}

CAF_TEST(errbacks get the id of what failed) {
  std::vector<outgoing_message> out;
  add_failure_follow_ups(
      out, ended({{"errbacks", json::array{signature("oops", {1})}}}), {});
  CAF_REQUIRE_EQUAL(out.size(), 1u);
  auto next = *parse_task_message(out[0].payload);
  CAF_CHECK_EQUAL(json::serialize(next.args), R"(["id-1",1])");
  CAF_CHECK_EQUAL(next.header.parent_id, "id-1");
  CAF_CHECK_EQUAL(next.header.root_id, "root-1");
  CAF_CHECK_NOT_EQUAL(next.header.group, "");
}

CAF_TEST(what is not supported is said and not published) {
  auto group = signature("celery.group").as_object();
  group["subtask_type"] = "group";
  auto embed = json::object{{"chain", json::array{group}}};
  CAF_CHECK(after_success(embed).empty());
  CAF_CHECK_NOT_EQUAL(unsupported_follow_ups(ended(embed)), "");
  CAF_CHECK_NOT_EQUAL(unsupported_follow_ups(ended({{"chord", group}})), "");
  CAF_CHECK_EQUAL(unsupported_follow_ups(
                      ended({{"chain", json::array{group, signature("t")}}})),
                  "");
}
