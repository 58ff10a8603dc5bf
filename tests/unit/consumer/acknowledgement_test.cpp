// What follows from ends that no child speaks for.
#define CAF_SUITE acknowledgement

#include "tests/unit/dsl.hpp"

#include "actors/consumer/acknowledgement.hpp"
#include "protocol/backend/document.hpp"

using namespace umbel;

namespace {

json::object signature(const char* task, json::object options = {}) {
  return {{"task", task},
          {"args", json::array{}},
          {"kwargs", json::object{}},
          {"options", std::move(options)},
          {"subtask_type", nullptr},
          {"immutable", false}};
}

/// A task with an errback, a next step, and a chord.
request some_request() {
  task_call call;
  call.task = "t";
  call.id = "1";
  call.headers["group"] = "g";
  call.embed = {
      {"errbacks", json::array{signature("oops")}},
      {"chain", json::array{signature("next", {{"task_id", "2"}})}},
      {"chord", signature("body", {{"task_id", "3"}})}};
  request r;
  r.payload = std::make_shared<const std::string>(make_task_message(call));
  r.header = read_task_header(*r.payload).value();
  r.task = resolve({}, {});
  return r;
}

} // namespace

CAF_TEST(a lost child fails everything that was to follow) {
  auto x = settle_lost(some_request(), "signal 9 (SIGKILL)");
  CAF_REQUIRE_EQUAL(x.publish.size(), 1u);
  auto errback = parse_task_message(x.publish[0].payload).value();
  CAF_CHECK_EQUAL(errback.header.task, "oops");
  CAF_CHECK_EQUAL(json::serialize(errback.args), R"(["1"])");
  CAF_REQUIRE(x.result);
  CAF_CHECK_EQUAL(x.result->id.str(), "1");
  CAF_REQUIRE_EQUAL(x.workflow.results.size(), 1u);
  CAF_CHECK_EQUAL(x.workflow.results[0].id.str(), "2");
  CAF_REQUIRE_EQUAL(x.workflow.parts.size(), 1u);
  auto& member = x.workflow.parts[0].member.at(0);
  CAF_CHECK_NOT_EQUAL(member.find("WorkerLostError"), std::string::npos);
}

CAF_TEST(a revoked task counts and calls no errback) {
  auto x = settle_revoked(some_request(), "revoked");
  CAF_CHECK(x.publish.empty());
  CAF_CHECK(x.workflow.results.empty());
  CAF_REQUIRE_EQUAL(x.workflow.parts.size(), 1u);
}

CAF_TEST(where results are ignored the chord counts nevertheless) {
  auto r = some_request();
  r.header.ignore_result = true;
  auto x = settle_refused(r, "FAILURE", not_registered("t"));
  CAF_CHECK(!x.result);
  CAF_CHECK(x.workflow.results.empty());
  CAF_CHECK_EQUAL(x.workflow.parts.size(), 1u);
  CAF_CHECK_EQUAL(x.publish.size(), 1u);
}

CAF_TEST(what comes back later ends nothing) {
  auto r = some_request();
  r.task.acks_late = true;
  r.task.reject_on_worker_lost = true;
  auto x = settle_lost(r, "signal 9 (SIGKILL)");
  CAF_CHECK(x.how == disposition::requeue);
  CAF_CHECK(x.publish.empty());
  CAF_CHECK(x.workflow.empty());
}

CAF_TEST(a body that cannot be read has nothing to follow) {
  auto r = some_request();
  r.payload = std::make_shared<const std::string>("{}");
  auto x = settle_revoked(r, "revoked");
  CAF_CHECK(x.result.has_value());
  CAF_CHECK(x.workflow.empty());
}
