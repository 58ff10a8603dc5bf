// A program that has tasks itself, and runs them where it sends them.
#define CAF_SUITE eager_app

#include "tests/unit/client/thrown.hpp"
#include "tests/unit/dsl.hpp"

#include "protocol/backend/result_store.hpp"
#include "protocol/client/app.hpp"
#include "protocol/client/eager_runs.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/task/task.hpp"

using namespace umbel;
using namespace std::chrono_literals;
using canvas::make_chord;
using canvas::make_group;

namespace {

void add_tasks(registry& app) {
  app.task("add", [](int x, int y) { return x + y; });
  app.task("sum", [](const std::vector<int>& all) {
    int to = 0;
    for (auto x : all)
      to += x;
    return to;
  });
  app.task("fail", [](std::string why) { throw exception("ValueError", {why}); });
  app.task("flaky", [](context& self) {
    if (self.retries() < 2)
      self.retry({.countdown = 24h});
    return self.retries();
  });
  app.task("slow", [](int x) -> awaitable<int> {
    co_await sleep_for(1ms);
    co_return co_await call<int>("add", x, 1);
  });
  app.task("refuses", [](context& self) { self.reject("no"); });
  app.task("drops", [](context& self) { self.ignore(); });
  app.task("replaced", [](context& self, int x) {
    self.replace({.task = "add", .args = {x, 1}});
  });
  app.task("quiet", [] { return 5; }).ignore_result();
  app.task("custom", [](context& self) {
    self.update_state("PROGRESS", {{"at", 1}});
    return 1;
  });
}

/// No broker: whoever looked for one would wait.
struct fixture {
  std::string stored = "memory://eager-test-" + make_uuid();
  app_options options{.broker_url = "redis://localhost:1",
                      .result_url = stored,
                      .tasks = make_registry(add_tasks),
                      .always_eager = true};
  umbel::app app{options};
  remote_task<int(int, int)> add = app.task<int(int, int)>("add");
  remote_task<int(std::vector<int>)> sum = app.task<int(std::vector<int>)>("sum");

  json::value value(canvas::signature x) {
    return app.apply(std::move(x)).get({.timeout = 10s});
  }
};

template <class F>
std::string thrown(F&& f) {
  return test::thrown(f, true);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(eager_app_tests, fixture)

CAF_TEST(a task runs where it is sent) {
  auto result = add.delay(4, 4);
  CAF_CHECK(result.ready());
  CAF_CHECK_EQUAL(result.get(), 8);
  CAF_CHECK_EQUAL(add.with({.countdown = 1h}, 1, 1).get(0s), 2);
  CAF_CHECK_EQUAL(app.send_task("add", {2, 3}).get({.timeout = 0s}).to_number<int>(), 5);
  CAF_CHECK_EQUAL(value({.task = "slow", .args = {7}}).to_number<int>(), 8);
}

CAF_TEST(so do workflows) {
  CAF_CHECK_EQUAL(value(add.s(1, 1) | add.s(2) | add.s(3)).to_number<int>(), 7);
  auto several = app.apply_group(make_group({add.s(1, 1), add.s(2, 2)}));
  CAF_CHECK_EQUAL(several.get({.timeout = 10s}).at(1).to_number<int>(), 4);
  CAF_CHECK_EQUAL(value(make_group({add.s(1, 1), add.s(2, 2)}) | sum.s()).to_number<int>(),
                  6);
  // A chord within a chord, and one after a task.
  auto inner = make_chord(make_group({add.s(1, 1), add.s(1, 1)}), sum.s());
  CAF_CHECK_EQUAL(
    value(make_chord(make_group({inner, add.s(1, 0)}), sum.s())).to_number<int>(), 5);
  CAF_CHECK_EQUAL(
    value(add.s(1, 1) | make_group({add.s(1), add.s(2)}) | sum.s()).to_number<int>(), 7);
}

CAF_TEST(callbacks and errbacks) {
  auto to = app.send_task("add", {1, 1}, {}, {.link = {add.s(5)}});
  auto children = to.children();
  CAF_REQUIRE_EQUAL(children.size(), 1u);
  CAF_CHECK_EQUAL(children[0].get({.timeout = 10s}).to_number<int>(), 7);
}

CAF_TEST(retries are at once) {
  CAF_CHECK_EQUAL(value({.task = "flaky"}).to_number<int>(), 2);
}

CAF_TEST(what a task throws is thrown by its result) {
  auto result = app.send_task("fail", {"why"});
  CAF_CHECK_EQUAL(result.state(), "FAILURE");
  CAF_CHECK_EQUAL(thrown([&] { result.get({.timeout = 10s}); }), "ValueError: why");
  auto later = app.apply(canvas::signature{.task = "fail", .args = {"why"}}
                         | add.s(1, 1));
  CAF_CHECK_EQUAL(thrown([&] { later.get({.timeout = 10s}); }), "ValueError: why");
  CAF_CHECK_EQUAL(thrown([&] { value({.task = "nowhere"}); }),
                  "NotRegistered: nowhere");
  auto body = app.apply(make_chord(
    make_group({add.s(1, 1), {.task = "fail", .args = {"why"}}}), sum.s()));
  CAF_CHECK(thrown([&] { body.get({.timeout = 10s}); }).starts_with("ChordError: "));
}

CAF_TEST(or by whoever sends it) {
  options.eager_propagates = true;
  umbel::app strict{options};
  CAF_CHECK_EQUAL(thrown([&] { strict.send_task("fail", {"why"}); }),
                  "ValueError: why");
  CAF_CHECK_EQUAL(strict.send_task("flaky").get({.timeout = 0s}).to_number<int>(), 2);
}

CAF_TEST(nobody waits for a task without a result) {
  CAF_CHECK(value({.task = "quiet"}).is_null());
  CAF_CHECK(value({.task = "drops"}).is_null());
  CAF_CHECK_EQUAL(thrown([&] { value({.task = "refuses"}); }), "Reject: no");
  CAF_CHECK_EQUAL(value({.task = "replaced", .args = {3}}).to_number<int>(), 4);
  CAF_CHECK_EQUAL(value({.task = "custom"}).to_number<int>(), 1);
}

CAF_TEST(results are stored if that is wanted) {
  auto store = connect_result_store(stored, {}).value();
  auto id = add.delay(4, 4).id();
  CAF_CHECK(!store->fetch(task_id{id}).value());
  options.store_eager_result = true;
  id = umbel::app{options}.send_task("add", {1, 1}).id();
  CAF_CHECK(store->fetch(task_id{id}).value().has_value());
}

CAF_TEST(a task may send others) {
  auto inside = [this](int x) { return add.delay(x, 1).get(10s); };
  options.tasks = make_registry([&](registry& to) {
    add_tasks(to);
    to.task("outer", inside);
  });
  umbel::app outer{options};
  CAF_CHECK_EQUAL(outer.send_task("outer", {1}).get({.timeout = 10s}).to_number<int>(), 2);
}

CAF_TEST(one may run here whatever is said of the others) {
  options.always_eager = false;
  umbel::app other{options};
  auto plus = other.task<int(int, int)>("add");
  CAF_CHECK_EQUAL(plus.apply(4, 4).get(0s), 8);
  CAF_CHECK_EQUAL(other.run(plus.s(1, 1) | plus.s(2)).get({.timeout = 0s}).to_number<int>(),
                  4);
  CAF_CHECK_EQUAL(other.run_group(make_group({plus.s(1, 1)})).get().size(), 1u);
}

CAF_TEST(what runs here is stored where all else is) {
  options.store_eager_result = true;
  umbel::app storing{options};
  auto id = storing.run(add.s(1, 1)).id();
  auto store = connect_result_store(stored, {}).value();
  CAF_CHECK(store->fetch(task_id{id}).value().has_value());
  CAF_CHECK_EQUAL(storing.result(id).state(), "SUCCESS");
}

CAF_TEST(a program without tasks sends whatever its settings say) {
  options.tasks = nullptr;
  options.broker_url = stored;
  umbel::app sender{options};
  auto sent = sender.send_task("add", {1, 1});
  CAF_CHECK_EQUAL(sent.state(), "PENDING");
  auto workers = connect_broker(stored, {}).value();
  CAF_CHECK_EQUAL(workers->size(queue_name{"celery"}).value(), 1u);
  sender.run({.task = "celery.backend_cleanup"}).get({.timeout = 0s});
}

CAF_TEST_FIXTURE_SCOPE_END()
