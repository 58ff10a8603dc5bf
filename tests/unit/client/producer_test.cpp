// A program that sends tasks, and the results that it gets.
#define CAF_SUITE producer

#include "tests/unit/dsl.hpp"

#include "protocol/client/producer.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// One broker in this process, with a result store.
struct fixture {
  std::string url = "memory://producer-" + make_uuid();

  producer connect() {
    producer_options options;
    options.broker_url = url;
    options.result_url = url;
    return producer::connect(options).value();
  }

  std::unique_ptr<broker> worker() {
    broker_options options;
    options.node = node_name{"w@h"};
    options.incarnation = "w";
    options.queues = {queue_name{"celery"}, queue_name{"other"}};
    options.result_url = url;
    return connect_broker(url, options).value();
  }

  void store(const std::string& id, const std::string& document) {
    const result_record record{task_id{id}, document};
    connect_result_store(url, {}).value()->store({&record, 1}).value();
  }
};

std::string reason(const std::string& document) {
  return parse_task_result(serializer::json, document).value().reason();
}

task_call call(const std::string& task) {
  task_call result;
  result.task = task;
  result.args = {4, 4};
  return result;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(producer_tests, fixture)

CAF_TEST(a_task_is_a_message_as_a_client_of_celery_sends_it) {
  auto x = connect();
  auto sent = call("tasks.add");
  sent.queue = "other";
  sent.priority = 3;
  sent.kwargs["y"] = 1;
  auto id = x.send(sent).value();
  CAF_CHECK_EQUAL(id.str().size(), 36u);
  auto got = worker()->reserve(9).value();
  CAF_REQUIRE_EQUAL(got.size(), 1u);
  CAF_CHECK_EQUAL(got[0].queue.str(), "other");
  auto message = parse_task_message(got[0].payload).value();
  CAF_CHECK_EQUAL(message.header.task, "tasks.add");
  CAF_CHECK(message.header.id == id);
  CAF_CHECK_EQUAL(message.header.root_id, id.str());
  CAF_CHECK_EQUAL(message.header.priority, 3);
  CAF_CHECK_EQUAL(to_json(message.args), "[4, 4]");
  CAF_CHECK_EQUAL(to_json(message.kwargs), R"({"y": 1})");
  auto origin = read_header_text(got[0].payload, "origin");
  CAF_CHECK(origin.starts_with("gen"));
}

CAF_TEST(an_id_that_is_given_stays) {
  auto sent = call("t");
  sent.id = "mine";
  auto id = connect().send(sent).value();
  CAF_CHECK_EQUAL(id.str(), "mine");
}

CAF_TEST(the_end_is_waited_for_and_not_a_state_on_the_way) {
  auto x = connect();
  auto id = x.send(call("t")).value();
  CAF_CHECK(!x.wait(id, 0ms).value());
  store(id.str(), R"({"status": "STARTED", "result": {"pid": 1}})");
  store("another", R"({"status": "SUCCESS", "result": 1})");
  CAF_CHECK(!x.wait(id, 0ms).value());
  store(id.str(), R"({"status": "SUCCESS", "result": [8]})");
  auto result = x.wait(id, 20s).value();
  CAF_REQUIRE(result.has_value());
  CAF_CHECK(result->succeeded());
  CAF_CHECK_EQUAL(to_json(result->result), "[8]");
}

CAF_TEST(a_result_whose_announcement_was_lost_is_found) {
  auto x = connect();
  store("before", R"({"status": "FAILURE", "result": "why"})");
  auto result = x.wait(task_id{"before"}, 20s).value();
  CAF_REQUIRE(result.has_value());
  CAF_CHECK_EQUAL(result->status, "FAILURE");
}

CAF_TEST(without_a_result_store_nobody_can_wait) {
  producer_options options;
  options.broker_url = url;
  auto x = producer::connect(options).value();
  auto id = x.send(call("t")).value();
  CAF_CHECK(x.wait(id, 0ms).error().code == errc::unsupported);
  options.result_url = "disabled://";
  CAF_CHECK(producer::connect(options).error().code == errc::unsupported);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(reasons_are_types_and_messages) {
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE", "result":
                     {"exc_type": "ValueError", "exc_message": ["no"]}})"),
                  "ValueError: no");
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE", "result":
                     {"exc_type": "KeyError", "exc_message": ["a", 2]}})"),
                  "KeyError: a, 2");
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE", "result":
                     {"exc_type": "E", "exc_message": []}})"),
                  "E");
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE", "result": {"exc_type": "E",
                     "exc_message": "text"}})"),
                  "E: text");
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE", "result": "text"})"), "text");
  CAF_CHECK_EQUAL(reason(R"({"status": "FAILURE"})"), "null");
}

CAF_TEST(what_is_no_result_document_is_malformed) {
  for (auto text : {"", "[]", "{}", R"({"status": 1})", "{\"status\""})
    CAF_CHECK(parse_task_result(serializer::json, text).error().code
              == errc::malformed);
}
