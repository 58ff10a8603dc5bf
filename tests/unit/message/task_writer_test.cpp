#define CAF_SUITE task_writer

#include "tests/unit/dsl.hpp"

#include "tests/unit/message/vectors.hpp"

#include <limits>

using namespace umbel;
using namespace std::chrono_literals;
using test::vector_object;
using test::vector_text;

namespace {

const auto eta = parse_time("2031-05-06T07:08:09.123456Z").value();

struct fixture {
  task_call call;

  fixture() {
    call.task = "tasks.add";
    call.args = {2, 3};
  }

  static task_message decoded(const std::string& text) {
    return parse_task_message(text).value();
  }

  task_message made() {
    return decoded(make_task_message(call));
  }

  static task_message retried(const task_message& original,
                              std::optional<timestamp> t = std::nullopt) {
    return decoded(make_retry_message(original, t));
  }

  static task_message captured(const std::string& name) {
    return decoded(vector_text(name));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(task_writer_tests, fixture)

CAF_TEST(a message is what the client would have sent) {
  // Ids and the sender aside, and for headers that newer clients add.
  auto want = vector_object("plain");
  auto& headers = want["headers"].as_object();
  auto& properties = want["properties"].as_object();
  call.id = headers.at("id").as_string();
  call.origin = "gen123@example";
  call.reply_to = properties.at("reply_to").as_string();
  auto text = make_task_message(call);
  auto got = parse_json(text).value().as_object();
  got["properties"].as_object()["delivery_tag"] = properties.at("delivery_tag");
  headers["replaced_task_nesting"] = 0;
  headers["stamped_headers"] = nullptr;
  headers["stamps"] = json::object{};
  CAF_CHECK_EQUAL(test::text_of(got), test::text_of(want));
}

CAF_TEST(all members of a call) {
  call.kwargs = {{"z", "it's"}};
  call.embed = {{"callbacks", {{{"task", "t"}}}}, {"other", 1}};
  call.eta = eta;
  call.expires = eta;
  call.retries = 2;
  call.queue = "fast";
  call.priority = 7;
  call.root_id = "root";
  call.parent_id = "parent";
  call.reply_to = "me";
  call.headers = {{"tenant", "acme"}, {"timelimit", {30, 20}}, {"group", "g"}};
  auto msg = made();
  CAF_CHECK_EQUAL(msg.header.id.str().size(), 36u);
  CAF_CHECK(msg.header.eta == eta);
  CAF_CHECK(msg.header.expires == eta);
  CAF_CHECK_EQUAL(msg.header.retries, 2);
  CAF_CHECK_EQUAL(msg.header.priority, 7);
  CAF_CHECK_EQUAL(msg.header.root_id, "root");
  CAF_CHECK_EQUAL(msg.header.parent_id, "parent");
  CAF_CHECK_EQUAL(msg.header.reply_to, "me");
  CAF_CHECK_EQUAL(msg.header.group, "g");
  CAF_CHECK(msg.header.time_limit == 30s);
  CAF_CHECK(msg.headers.at("tenant") == "acme");
  CAF_CHECK(msg.headers.at("argsrepr") == "(2, 3)");
  CAF_CHECK(msg.headers.at("kwargsrepr") == "{'z': \"it's\"}");
  CAF_CHECK_EQUAL(msg.headers.at("origin").as_string().find("gen"), 0u);
  CAF_CHECK_EQUAL(to_json(msg.properties.at("delivery_info")),
                  R"({"exchange": "", "routing_key": "fast"})");
  CAF_CHECK(msg.properties.at("correlation_id")
            == json::value(msg.header.id.str()));
  CAF_CHECK(std::stoll(msg.properties.at("expiration").as_string().c_str())
            > 0);
  CAF_CHECK_EQUAL(to_json(msg.args), "[2, 3]");
  CAF_CHECK_EQUAL(to_json(msg.embed),
                  R"({"callbacks": [{"task": "t"}], "errbacks": null, )"
                  R"("chain": null, "chord": null, "other": 1})");
}

CAF_TEST(what expired long ago has no time left) {
  call.expires = timestamp{};
  CAF_CHECK(made().properties.at("expiration") == "0");
}

CAF_TEST(the retry that a Python worker sends) {
  // `retry` came from this message, whose retries were 0.
  auto want = captured("retry");
  auto original = want;
  original.header.retries = 0;
  original.header.parent_id.clear();
  original.headers["retries"] = 0;
  original.headers["parent_id"] = nullptr;
  original.headers["eta"] = nullptr;
  original.header.eta.reset();
  auto got = retried(original, want.header.eta);
  for (auto& [key, x] : want.headers)
    CAF_CHECK_EQUAL(to_json(got.headers.at(key)), to_json(x));
  for (auto key : {"correlation_id", "reply_to", "delivery_mode",
                   "delivery_info", "priority"})
    CAF_CHECK_EQUAL(to_json(got.properties.at(key)),
                    to_json(want.properties.at(key)));
  CAF_CHECK_NOT_EQUAL(got.properties.at("delivery_tag"),
                      want.properties.at("delivery_tag"));
  CAF_CHECK_EQUAL(to_json(got.args), to_json(want.args));
  CAF_CHECK_EQUAL(to_json(got.kwargs), to_json(want.kwargs));
  CAF_CHECK_EQUAL(to_json(got.embed), to_json(want.embed));
}

CAF_TEST(a retry carries everything over) {
  for (auto& name : test::vector_names()) {
    auto before = captured(name);
    auto after = retried(before, eta);
    CAF_CHECK(after.header.id == before.header.id);
    CAF_CHECK_EQUAL(after.header.task, before.header.task);
    CAF_CHECK_EQUAL(after.header.retries, before.header.retries + 1);
    CAF_CHECK(after.header.eta == eta);
    CAF_CHECK(after.header.expires == before.header.expires);
    CAF_CHECK_EQUAL(after.header.group, before.header.group);
    CAF_CHECK(after.header.time_limit == before.header.time_limit);
    CAF_CHECK(after.header.soft_time_limit == before.header.soft_time_limit);
    CAF_CHECK_EQUAL(after.header.priority, before.header.priority);
    CAF_CHECK_EQUAL(after.header.reply_to, before.header.reply_to);
    CAF_CHECK(!after.header.redelivered);
    CAF_CHECK_EQUAL(after.protocol, 2);
    CAF_CHECK_EQUAL(after.header.root_id, before.header.root_id.empty()
                                              ? before.header.id.str()
                                              : before.header.root_id);
    CAF_CHECK_EQUAL(after.header.parent_id, before.header.parent_id.empty()
                                                ? before.header.id.str()
                                                : before.header.parent_id);
    CAF_CHECK_EQUAL(to_json(after.args), to_json(before.args));
    CAF_CHECK_EQUAL(to_json(after.kwargs), to_json(before.kwargs));
    CAF_CHECK_EQUAL(to_json(after.embed), to_json(before.embed));
  }
}

CAF_TEST(unknown headers travel with a retry) {
  auto msg = retried(captured("headers"));
  CAF_CHECK(msg.headers.at("tenant") == "acme");
  CAF_CHECK(msg.headers.at("eta").is_null());
  CAF_CHECK(retried(captured("v1_kwargs")).headers.at("tenant") == "acme");
  CAF_CHECK(retried(captured("v1_group")).headers.at("group_index") == 1);
}

CAF_TEST(a retry goes back to where the message came from) {
  auto where = [](const task_message& x) {
    return to_json(x.properties.at("delivery_info"));
  };
  CAF_CHECK_EQUAL(where(retried(captured("exchange"))),
                  R"({"exchange": "orders", "routing_key": "orders.new"})");
  CAF_CHECK_EQUAL(where(retried(captured("redelivered"))),
                  R"({"exchange": "", "routing_key": "celery"})");
  auto msg = captured("plain");
  msg.properties = {{"delivery_info", "broken"}};
  CAF_CHECK_EQUAL(where(retried(msg)),
                  R"({"exchange": "", "routing_key": "celery"})");
}

CAF_TEST(the number of retries does not overflow) {
  auto msg = captured("plain");
  msg.header.retries = std::numeric_limits<int64_t>::max();
  CAF_CHECK_EQUAL(retried(msg).header.retries, msg.header.retries);
}

CAF_TEST_FIXTURE_SCOPE_END()
