// A program that sends tasks and workflows.
#define CAF_SUITE app

#include "tests/unit/dsl.hpp"

#include "protocol/client/app_settings.hpp"
#include "protocol/message/task_message.hpp"

#include <thread>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// One broker in this process, with a result store, and nobody who works.
struct fixture {
  std::string url = "memory://app-" + make_uuid();
  umbel::app app{{.broker_url = url, .result_url = url}};

  std::vector<task_message> sent(const std::string& queue = "celery") {
    broker_options options;
    options.node = node_name{"w@h"};
    options.incarnation = make_uuid();
    options.queues = {queue_name{queue}};
    auto worker = connect_broker(url, options).value();
    std::vector<task_message> to;
    for (auto& x : worker->reserve(100).value())
      to.push_back(parse_task_message(x.payload).value());
    return to;
  }

  void store(const std::string& id, const std::string& document) {
    const result_record record{task_id{id}, document};
    connect_result_store(url, {}).value()->store({&record, 1}).value();
  }
};

/// The type of what `f` throws.
template <class F>
std::string thrown(F&& f) {
  try {
    f();
    return "nothing";
  } catch (const umbel::exception& e) {
    return e.type();
  }
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(app_tests, fixture)

CAF_TEST(a_task_with_its_options) {
  auto add = app.task<int(int, int)>("tasks.add");
  auto begin = now();
  auto result = add.with({.task_id = "chosen",
                          .countdown = 60s,
                          .priority = 3,
                          .time_limit = 2.5s,
                          .ignore_result = true,
                          .shadow = "plus",
                          .headers = {{"tenant", "acme"}},
                          .link = {add.s(1)},
                          .link_error = {add.si(0, 0)}},
                         4, 4);
  CAF_CHECK_EQUAL(result.id(), "chosen");
  auto all = sent();
  CAF_REQUIRE_EQUAL(all.size(), 1u);
  auto& x = all[0];
  CAF_CHECK_EQUAL(x.header.id.str(), "chosen");
  CAF_CHECK_EQUAL(x.header.root_id, "chosen");
  CAF_CHECK_EQUAL(to_json(x.args), "[4, 4]");
  CAF_CHECK(*x.header.eta >= begin + 60s);
  CAF_CHECK_EQUAL(x.header.priority, 3);
  CAF_CHECK(x.header.time_limit == 2500ms);
  CAF_CHECK(x.header.ignore_result == true);
  CAF_CHECK_EQUAL(x.header.shadow, "plus");
  CAF_CHECK_EQUAL(x.headers.at("tenant").as_string(), "acme");
  CAF_CHECK_EQUAL(to_json(x.embed.at("callbacks").at(0).at("args")), "[1]");
  CAF_CHECK(x.embed.at("errbacks").at(0).at("immutable").as_bool());
}

CAF_TEST(routes_hold_for_all_parts_of_a_workflow) {
  router routes;
  routes.add("mail.*", {"mail", {}});
  umbel::app routed{
    {.broker_url = url, .result_url = url, .task_routes = routes}};
  auto send = routed.task<void(int)>("mail.send");
  auto elsewhere = send.s(3);
  elsewhere.options["queue"] = "other";
  routed.apply_group(canvas::make_group({send.s(1), send.s(2), elsewhere}));
  CAF_CHECK_EQUAL(sent("mail").size(), 2u);
  CAF_CHECK_EQUAL(sent("other").size(), 1u);
}

CAF_TEST(a_result_that_comes_while_it_is_waited_for) {
  auto result = app.task<int()>("t").delay();
  CAF_CHECK_EQUAL(result.state(), "PENDING");
  std::thread worker{[&] {
    store(result.id(), R"({"status": "STARTED", "result": null})");
    store(result.id(), R"({"status": "SUCCESS", "result": 7})");
  }};
  CAF_CHECK_EQUAL(result.get(20s), 7);
  worker.join();
  CAF_CHECK(result.successful());
  result.forget();
  CAF_CHECK_EQUAL(result.state(), "PENDING");
}

CAF_TEST(any_number_of_threads_wait_at_once) {
  auto noop = app.task<int()>("t");
  std::vector<typed_result<int>> results;
  for (int i = 0; i < 20; ++i)
    results.push_back(noop.delay());
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 20; ++i)
    threads.emplace_back([&, i] { right += results[i].get(20s) == i; });
  for (int i = 19; i >= 0; --i)
    store(results[i].id(),
          R"({"status": "SUCCESS", "result": )" + std::to_string(i) + "}");
  for (auto& x : threads)
    x.join();
  CAF_CHECK_EQUAL(right.load(), 20);
}

CAF_TEST(what_a_task_has_thrown_is_thrown) {
  store("1", R"({"status": "FAILURE", "result": {"exc_type": "KeyError",
                 "exc_message": ["x"], "exc_module": "builtins"}})");
  auto result = app.result("1");
  CAF_CHECK_EQUAL(thrown([&] { result.get(); }), "KeyError");
  auto told = result.get({.propagate = false});
  CAF_CHECK_EQUAL(told.at("exc_type").as_string(), "KeyError");
  CAF_CHECK(result.failed());
  store("2", R"({"status": "SUCCESS", "result": "text"})");
  typed_result<int> wrong{app.result("2")};
  CAF_CHECK_EQUAL(thrown([&] { wrong.get(); }), "TypeError");
}

CAF_TEST(waiting_has_an_end) {
  CAF_CHECK_EQUAL(thrown([&] { app.result("nobody").get({.timeout = 1ms}); }),
                  "TimeoutError");
}

CAF_TEST(a_group_is_waited_for_as_a_whole) {
  auto t = app.task<int()>("t");
  auto group = app.apply_group(canvas::make_group({t.s(), t.s()}));
  CAF_REQUIRE_EQUAL(group.results().size(), 2u);
  CAF_CHECK_EQUAL(group.completed_count(), 0u);
  for (auto& x : group.results())
    store(x.id(), R"({"status": "SUCCESS", "result": 1})");
  CAF_CHECK(group.ready());
  CAF_CHECK_EQUAL(group.get().size(), 2u);
}

CAF_TEST(children_are_found_by_the_document) {
  store("1", R"({"status": "SUCCESS", "result": 1, "children":
                 [[["2", null], null], [["g", null], [[["3", null], null]]], 7]})");
  std::string ids;
  for (auto& x : app.result("1").children())
    ids += x.id();
  CAF_CHECK_EQUAL(ids, "23");
}

CAF_TEST(calls_of_a_pipeline_are_as_others) {
  auto add = app.task<int(int, int)>("tasks.add");
  const send_options how{.countdown = 60s, .priority = 3, .link = {add.s(1)}};
  add.with(how, 1, 2);
  auto calls = add.pipeline(how);
  auto result = calls.delay(1, 2);
  auto other = calls.delay(-3, 4);
  CAF_CHECK_EQUAL(sent().size(), 1u); // nothing is sent one by one
  add.with(how, 1, 2);
  calls.flush();
  auto all = sent();
  CAF_REQUIRE_EQUAL(all.size(), 3u);
  CAF_CHECK_EQUAL(all[1].header.id.str(), result.id());
  CAF_CHECK_EQUAL(all[1].header.root_id, result.id());
  CAF_CHECK_EQUAL(all[2].header.id.str(), other.id());
  CAF_CHECK_EQUAL(to_json(all[2].args), "[-3, 4]");
  CAF_CHECK_EQUAL(all[2].headers.at("argsrepr").as_string(), "(-3, 4)");
  CAF_CHECK_NOT_EQUAL(to_json(all[1].properties.at("delivery_tag")),
                      to_json(all[2].properties.at("delivery_tag")));
  // But for what is its own, it is the same message.
  auto plain = [](task_message x) {
    for (auto key : {"id", "root_id", "eta"})
      x.headers.erase(key);
    for (auto key : {"correlation_id", "delivery_tag"})
      x.properties.erase(key);
    return to_json(x.headers) + to_json(x.properties) + to_json(x.args)
           + to_json(x.kwargs) + to_json(x.embed);
  };
  CAF_CHECK_EQUAL(plain(all[1]), plain(all[0]));
}

CAF_TEST(a_pipeline_of_another_form_and_of_many_calls) {
  umbel::app packed{{.broker_url = url,
                     .task_form = {serializer::json, compression::zlib}}};
  auto add = packed.task<int(int, int)>("tasks.add");
  {
    auto calls = add.pipeline();
    for (int i = 0; i < 600; ++i)
      calls.delay(i, i);
    CAF_CHECK_EQUAL(sent().size(), 100u); // all that `sent` takes at once
  } // what is left goes with it
  size_t left = 0;
  while (auto n = sent().size())
    left += n;
  CAF_CHECK_EQUAL(left, 500u);
  CAF_CHECK_EQUAL(thrown([&] { add.pipeline({.task_id = "one"}); }),
                  "ValueError");
}

CAF_TEST(a_step_knows_what_it_follows_from) {
  auto t = app.task<int()>("t");
  auto last = app.apply(t.s() | canvas::make_group({t.s(), t.s()}) | t.s()
                        | t.s());
  auto body = last.parent();
  CAF_REQUIRE(body && std::holds_alternative<async_result>(*body));
  auto header = std::get<async_result>(*body).parent();
  CAF_REQUIRE(header && std::holds_alternative<group_result>(*header));
  CAF_CHECK_EQUAL(std::get<group_result>(*header).results().size(), 2u);
  auto first = std::get<group_result>(*header).parent();
  CAF_REQUIRE(first);
  CAF_CHECK(!std::get<async_result>(*first).parent());
  // The failure of what comes before is its own: it may never end.
  store(std::get<async_result>(*first).id(),
        R"({"status": "FAILURE", "result": {"exc_type": "KeyError",
            "exc_message": ["x"], "exc_module": "builtins"}})");
  CAF_CHECK_EQUAL(thrown([&] { last.get({.timeout = 20s}); }), "KeyError");
}

CAF_TEST(groups_within_a_group_are_lists) {
  auto t = app.task<int()>("t");
  auto all = app.apply_group(canvas::make_group(
      {t.s(), t.s() | canvas::make_group({t.s(), t.s()})}));
  CAF_REQUIRE_EQUAL(all.results().size(), 3u);
  for (size_t i = 0; i < 3; ++i)
    store(all.results()[i].id(), R"({"status": "SUCCESS", "result": )"
                                   + std::to_string(i) + "}");
  auto values = all.get();
  CAF_REQUIRE_EQUAL(values.size(), 2u);
  CAF_CHECK_EQUAL(to_json(values[1]), "[1, 2]");
  std::string order;
  all.for_each_as_completed([&](size_t i, const json::value& x) {
    order += std::to_string(i) + to_json(x);
  });
  CAF_CHECK_EQUAL(order, "001122");
}

CAF_TEST(what_has_followed_is_collected) {
  store("1", R"({"status": "SUCCESS", "result": 1, "children":
                 [[["2", null], null], [["1", null], null]]})");
  store("2", R"({"status": "SUCCESS", "result": 2, "children":
                 [[["3", null], null]]})");
  store("3", R"({"status": "SUCCESS", "result": 3})");
  std::string values;
  for (auto& [result, value] : app.result("1").collect())
    values += result.id() + to_json(value);
  CAF_CHECK_EQUAL(values, "112233");
  std::string edges;
  for (auto& [from, to] : app.result("1").graph())
    edges += from + to + ' ';
  CAF_CHECK_EQUAL(edges, "12 11 23 ");
}

CAF_TEST(an_app_by_the_settings_that_workers_have) {
  settings_sources sources;
  sources.assignments = {{"broker_url", url},
                         {"task_default_queue", "other"},
                         {"task_compression", "zlib"}};
  std::vector<std::string> warnings;
  umbel::app by_settings{
    to_app_options(load_settings(sources, warnings).value())};
  by_settings.send_task("t", {1});
  auto all = sent("other");
  CAF_REQUIRE_EQUAL(all.size(), 1u);
  CAF_CHECK(all[0].form.compression == compression::zlib);
  CAF_CHECK(!read_app_options("/no/such/file", warnings));
}

CAF_TEST(without_a_broker_there_is_one_error) {
  umbel::app lost{{.broker_url = "redis://127.0.0.1:1"}};
  CAF_CHECK_EQUAL(thrown([&] { lost.send_task("t"); }), "OperationalError");
  CAF_CHECK_EQUAL(thrown([&] { lost.result("t").get(); }), "OperationalError");
  canvas::signature none{.task = "", .kind = canvas::kind::chain};
  CAF_CHECK_EQUAL(thrown([&] { app.apply(none); }), "ValueError");
}

CAF_TEST_FIXTURE_SCOPE_END()
