// What can be done with results besides waiting for them.
#define CAF_SUITE results

#include "tests/unit/client/thrown.hpp"
#include "tests/unit/dsl.hpp"

#include "protocol/backend/document.hpp"
#include "protocol/backend/result_store.hpp"
#include "protocol/client/app.hpp"
#include "protocol/message/envelope.hpp"

#include <thread>

using namespace umbel;
using namespace std::chrono_literals;
using test::thrown;

namespace {

/// Results of tasks that nobody runs.
struct fixture {
  std::string url = "memory://results-" + make_uuid();
  umbel::app app{{.broker_url = url, .result_url = url}};
  remote_task<int(int, int)> add = app.task<int(int, int)>("add");

  void end(const std::string& id, const json::value& result,
           const char* status = "SUCCESS") {
    meta to;
    to.status = status;
    to.result = result;
    to.task_id = id;
    const result_record record{task_id{id}, to_document(to)};
    connect_result_store(url, {}).value()->store({&record, 1}).value();
  }
};

const json::value value_error{{"exc_type", "ValueError"},
                              {"exc_message", json::array{"no"}},
                              {"exc_module", "builtins"}};

} // namespace

CAF_TEST_FIXTURE_SCOPE(results_tests, fixture)

CAF_TEST(what is to be done when a task has ended) {
  std::string called;
  auto say = [&](const char* what) {
    return [&called, what](const async_result& x) { called += what + x.state(); };
  };
  end("a", 1);
  app.result("a").then(say("a "));
  CAF_CHECK_EQUAL(called, "a SUCCESS"); // at once
  called.clear();
  // By whoever waits for it; once.
  app.result("b").then(say("b "));
  CAF_CHECK_EQUAL(called, "");
  end("b", value_error, "FAILURE");
  CAF_CHECK_EQUAL(thrown([&] { app.result("b").get({.timeout = 10s}); }),
                  "ValueError");
  CAF_CHECK_EQUAL(called, "b FAILURE");
  app.result("b").get({.propagate = false});
  CAF_CHECK_EQUAL(called, "b FAILURE");
}

CAF_TEST(or by whoever waits for several) {
  int called = 0;
  for (auto id : {"a", "b", "c"})
    app.result(id).then([&](const async_result&) { ++called; });
  for (auto id : {"a", "b", "c"})
    end(id, 1);
  result_set{{app.result("a"), app.result("b")}}.get({.timeout = 10s});
  CAF_CHECK_EQUAL(called, 2);
  result_set{{app.result("c")}}.for_each_as_completed([](size_t, auto&) {});
  CAF_CHECK_EQUAL(called, 3);
}

CAF_TEST(somebody does it for all) {
  std::atomic<int> called = 0;
  CAF_CHECK_EQUAL(app.run_callbacks(), 0u);
  for (auto id : {"a", "b"})
    app.result(id).then([&](const async_result& x) {
      if (++called == 2) // one may follow from the other
        app.result("c").then([&](const async_result&) { ++called; });
      CAF_CHECK(x.ready());
    });
  CAF_CHECK_EQUAL(app.run_callbacks(1ms), 0u);
  std::thread worker{[&] {
    for (auto id : {"a", "b", "c"})
      end(id, 1);
  }};
  CAF_CHECK(app.run_callbacks(20s) >= 2u); // "c" may have ended before it is asked for
  worker.join();
  CAF_CHECK_EQUAL(called.load(), 3);
}

CAF_TEST(what a callback throws comes out and the others stay) {
  app.result("a").then([](const async_result&) { throw exception("KeyError"); });
  app.result("b").then([](const async_result&) {});
  end("a", 1);
  CAF_CHECK_EQUAL(thrown([&] { app.run_callbacks(20s); }), "KeyError");
  end("b", 1);
  CAF_CHECK_EQUAL(app.run_callbacks(20s), 1u);
}

CAF_TEST(nor does it keep others from the same result) {
  int called = 0;
  app.result("a").then([](const async_result&) { throw exception("KeyError"); });
  app.result("a").then([&](const async_result&) { ++called; });
  end("a", 1);
  CAF_CHECK_EQUAL(thrown([&] { app.result("a").get({.timeout = 10s}); }), "KeyError");
  CAF_CHECK_EQUAL(called, 1);
}

CAF_TEST(without time for it those are called that have ended) {
  app.result("a").then([](const async_result&) {});
  CAF_CHECK_EQUAL(app.run_callbacks(0ms), 0u);
  end("a", 1);
  CAF_CHECK_EQUAL(app.run_callbacks(0ms), 1u);
}

CAF_TEST(a step behind a failed one never ends) {
  int called = 0;
  auto last = app.apply(canvas::make_chain({add.s(1, 1), add.s(2)}));
  last.then([&](const async_result&) { ++called; });
  end(std::get<async_result>(*last.parent()).id(), value_error, "FAILURE");
  CAF_CHECK_EQUAL(thrown([&] { last.get({.timeout = 10s}); }), "ValueError");
  CAF_CHECK_EQUAL(app.run_callbacks(1ms), 0u);
  CAF_CHECK_EQUAL(called, 0);
}

CAF_TEST(what is called may let go of the app) {
  std::optional<umbel::app> other{app_options{.broker_url = url, .result_url = url}};
  for (auto id : {"a", "b"})
    other->result(id).then([&](const async_result&) { other.reset(); });
  end("a", 1);
  end("b", 1);
  CAF_CHECK_EQUAL(other->run_callbacks(20s), 2u);
  CAF_CHECK(!other);
}

CAF_TEST(what nobody has waited for goes with the app) {
  auto held = std::make_shared<int>();
  {
    umbel::app other{app_options{.broker_url = url, .result_url = url}};
    other.result("a").then([held](const async_result&) {});
    CAF_CHECK_EQUAL(held.use_count(), 2);
  }
  CAF_CHECK_EQUAL(held.use_count(), 1);
}

CAF_TEST(what could not be asked for is not done later) {
  auto held = std::make_shared<int>();
  umbel::app deaf{app_options{.broker_url = url,
                              .result_url = "redis://127.0.0.1:1/0"}};
  CAF_CHECK_EQUAL(thrown([&] { deaf.result("a").then([held](auto&) {}); }),
                  "OperationalError");
  CAF_CHECK_EQUAL(held.use_count(), 1);
}

CAF_TEST(a group that something was taken from has no values) {
  auto group = app.apply_group(canvas::make_group({add.s(1, 1), add.s(2, 2)}));
  for (auto& x : group.results())
    end(x.id(), 1);
  CAF_CHECK_EQUAL(group.get({.timeout = 10s}).size(), 2u);
  static_cast<result_set&>(group).clear();
  CAF_CHECK_EQUAL(thrown([&] { group.get({.timeout = 10s}); }), "ValueError");
}

CAF_TEST(a set of results changes) {
  auto one = app.result("a"), two = app.result("b");
  result_set all{{one, two, one}};
  CAF_CHECK_EQUAL(all.results().size(), 2u);
  all.add(two);
  all.update({app.result("c")});
  CAF_CHECK_EQUAL(all.results().size(), 3u);
  all.remove(one);
  CAF_CHECK_EQUAL(thrown([&] { all.remove(one); }), "KeyError");
  all.discard(one);
  CAF_CHECK_EQUAL(all.results().size(), 2u);
  CAF_CHECK(all.waiting());
  end("b", 2);
  CAF_CHECK_EQUAL(all.completed_count(), 1u);
  end("c", 3);
  CAF_CHECK(all.successful());
  auto values = all.get({.timeout = 10s});
  CAF_CHECK_EQUAL(to_json(json::array(values.begin(), values.end())), "[2, 3]");
  all.clear();
  CAF_CHECK(all.get().empty());
  CAF_CHECK(all.ready());
}

CAF_TEST(a failure in a set) {
  result_set all{{app.result("a"), app.result("b")}};
  end("a", 1);
  end("b", value_error, "FAILURE");
  CAF_CHECK(all.failed());
  CAF_CHECK_EQUAL(thrown([&] { all.maybe_throw(); }), "ValueError");
  CAF_CHECK_EQUAL(thrown([&] { all.get(); }), "ValueError");
  auto values = all.get({.propagate = false});
  CAF_CHECK_EQUAL(values[1].at("exc_type").as_string(), "ValueError");
}

CAF_TEST(results are handed on as tuples) {
  auto last = app.apply(add.s(1, 1) | add.s(2) | add.s(3));
  auto tuple = last.as_tuple();
  auto ids = last.as_list();
  CAF_REQUIRE_EQUAL(ids.size(), 3u);
  CAF_CHECK_EQUAL(ids[0], last.id());
  CAF_CHECK_EQUAL(tuple.at(0).at(1).at(0).at(0).as_string(), ids[1]);
  auto again = std::get<async_result>(app.result_from_tuple(tuple));
  CAF_CHECK(again == last);
  CAF_CHECK(again.as_list() == ids);
  auto parent = again.parent();
  CAF_REQUIRE(parent.has_value());
  CAF_CHECK_EQUAL(std::get<async_result>(*parent).id(), ids[1]);
  // A step that fails is a failure of what follows, here too.
  end(ids[2], value_error, "FAILURE");
  CAF_CHECK_EQUAL(thrown([&] { again.get({.timeout = 10s}); }), "ValueError");
  auto group = app.apply_group(canvas::make_group({add.s(1, 1), add.s(2, 2)}));
  auto same = std::get<group_result>(app.result_from_tuple(group.as_tuple()));
  CAF_CHECK_EQUAL(same.id(), group.id());
  CAF_CHECK(same.results() == group.results());
  CAF_CHECK_EQUAL(thrown([&] { app.result_from_tuple("x"); }), "ValueError");
}

CAF_TEST(the leaf of what follows and whether there is anything) {
  CAF_CHECK(!app.result("a").exists());
  meta to;
  to.status = "SUCCESS";
  to.result = 1;
  to.task_id = "a";
  to.children = json::array{json::array{json::array{"b", nullptr}, nullptr}};
  const result_record record{task_id{"a"}, to_document(to)};
  connect_result_store(url, {}).value()->store({&record, 1}).value();
  end("b", 2);
  CAF_CHECK(app.result("a").exists());
  CAF_CHECK_EQUAL(app.result("a").get_leaf({.timeout = 10s}).to_number<int>(), 2);
}

CAF_TEST_FIXTURE_SCOPE_END()
