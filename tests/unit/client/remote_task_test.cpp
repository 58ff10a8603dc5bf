// A task's handle: what it says once for all of its calls.
#define CAF_SUITE remote_task

#include "tests/unit/dsl.hpp"

#include "protocol/client/app.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/message/uniqueness.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// Tasks are sent, and wait.
struct fixture {
  std::string url = "memory://remote-task-" + make_uuid();
  umbel::app app{{.broker_url = url, .result_url = url}};
  remote_task<void(std::string, int)> report =
    app.task<void(std::string, int)>("report");

  /// The headers of what has been sent, oldest first; then it is gone.
  std::vector<json::object> sent() {
    broker_options options;
    options.node = node_name{"w@h"};
    options.incarnation = make_uuid();
    options.queues = {queue_name{"celery"}};
    auto worker = connect_broker(url, options).value();
    std::vector<json::object> to;
    for (auto& x : worker->reserve(100).value())
      to.push_back(parse_envelope(x.payload).value().headers);
    return to;
  }

  template <class F>
  static bool is_refused(F&& f) {
    try {
      f();
      return false;
    } catch (const umbel::exception& e) {
      CAF_CHECK_EQUAL(e.type(), "TaskRevokedError");
      return true;
    }
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(remote_task_tests, fixture)

CAF_TEST(there is one at a time with the same arguments) {
  auto unique = report.unique();
  unique.delay("shop", 1);
  CAF_CHECK(is_refused([&] { unique.delay("shop", 1); }));
  CAF_CHECK(!is_refused([&] { unique.delay("shop", 2); }));
  CAF_CHECK(!is_refused([&] { unique.delay("mall", 1); }));
  // The handle that it was made of is another one.
  CAF_CHECK(!is_refused([&] { report.delay("shop", 1); }));
  CAF_CHECK_EQUAL(sent().size(), 4u);
}

CAF_TEST(or with the same values of some of them) {
  auto unique = report.unique({}, {0});
  unique.delay("shop", 1);
  CAF_CHECK(is_refused([&] { unique.delay("shop", 2); }));
  CAF_CHECK(!is_refused([&] { unique.delay("mall", 2); }));
  CAF_CHECK_EQUAL(sent().size(), 2u);
}

CAF_TEST(what the rule says goes along) {
  report.unique({.held_for = 90s, .until_start = true}, {0})
    .with({.headers = {{"tenant", "acme"}}}, "shop", 1);
  auto all = sent();
  CAF_REQUIRE_EQUAL(all.size(), 1u);
  auto& headers = all[0];
  CAF_CHECK_EQUAL(headers.at("tenant").as_string(), "acme");
  CAF_CHECK_EQUAL(headers.at(unique_key_header).as_string(), "shop");
  CAF_CHECK_EQUAL(headers.at(unique_until_header).as_string(), "start");
  CAF_CHECK_EQUAL(headers.at(unique_for_header).to_number<double>(), 90.0);
}

CAF_TEST(a signature says so when its arguments are all there) {
  auto unique = report.unique();
  auto whole = unique.s("shop", 1);
  CAF_CHECK_EQUAL(
    whole.options.at("headers").at(unique_key_header).as_string(),
    R"(["shop", 1])");
  CAF_CHECK(!unique.s("shop").options.contains("headers"));
  CAF_CHECK(report.unique({}, {0}).s("shop").options.contains("headers"));
  app.apply(whole);
  CAF_CHECK(is_refused([&] { unique.delay("shop", 1); }));
  CAF_CHECK(is_refused([&] { app.apply(unique.si("shop", 1)); }));
}

CAF_TEST_FIXTURE_SCOPE_END()
