// A program that sends tasks and workflows.
#define CAF_SUITE app

#include "tests/unit/client/thrown.hpp"
#include "tests/unit/dsl.hpp"
#include "tests/unit/task/call_of.hpp"
#include "tests/unit/task/recording_sink.hpp"

#include "protocol/client/app_settings.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/task/runner.hpp"
#include "protocol/task/task.hpp"

#include <algorithm>
#include <filesystem>
#include <thread>

using namespace umbel;
using namespace std::chrono_literals;
using test::thrown;

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
    content_rules all;
    all.accepted = {serializer::json, serializer::yaml};
    std::vector<task_message> to;
    for (auto& x : worker->reserve(100).value())
      to.push_back(parse_task_message(x.payload, all).value());
    return to;
  }

  void store(const std::string& id, const std::string& document) {
    const result_record record{task_id{id}, document};
    connect_result_store(url, {}).value()->store({&record, 1}).value();
  }
};

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
  routes.add("mail.*", {.queue = "mail"});
  umbel::app routed{
    {.broker_url = url, .result_url = url, .routing = {.routes = routes}}};
  auto send = routed.task<void(int)>("mail.send");
  auto elsewhere = send.s(3);
  elsewhere.options["queue"] = "other";
  routed.apply_group(canvas::make_group({send.s(1), send.s(2), elsewhere}));
  CAF_CHECK_EQUAL(sent("mail").size(), 2u);
  CAF_CHECK_EQUAL(sent("other").size(), 1u);
}

CAF_TEST(every_option_of_a_call) {
  auto add = app.task<int(int, int)>("tasks.add");
  auto begin = now();
  add.with({.expires_in = 30s,
            .queue = "other",
            .serializer = "yaml",
            .compression = "zlib",
            .delivery_mode = delivery_mode::transient,
            .soft_time_limit = 1.5s,
            .reply_to = "somebody"},
           4, 4);
  auto all = sent("other");
  CAF_REQUIRE_EQUAL(all.size(), 1u);
  auto& x = all[0];
  CAF_CHECK(*x.header.expires >= begin + 30s && *x.header.expires < begin + 60s);
  CAF_CHECK(x.form.serializer == serializer::yaml);
  CAF_CHECK(x.form.compression == compression::zlib);
  CAF_CHECK(x.header.soft_time_limit == 1500ms);
  CAF_CHECK_EQUAL(x.header.reply_to, "somebody");
  CAF_CHECK_EQUAL(x.properties.at("delivery_mode").as_int64(), 1);
  const auto late = now() + 1h;
  add.with({.eta = late, .expires = late + 1h}, 4, 4);
  all = sent();
  CAF_REQUIRE_EQUAL(all.size(), 1u);
  CAF_CHECK(all[0].header.eta == late);
  CAF_CHECK(all[0].header.expires == late + 1h);
}

CAF_TEST(a_task_with_options_of_its_own) {
  auto mail = app.task<void(int)>("mail", {.queue = "mail", .priority = 3});
  mail.delay(1);
  mail.with({.priority = 6}, 2);
  app.apply(mail.s(3));
  auto all = sent("mail");
  CAF_REQUIRE_EQUAL(all.size(), 3u);
  std::string priorities;
  for (auto& x : all)
    priorities += std::to_string(x.header.priority);
  std::ranges::sort(priorities);
  CAF_CHECK_EQUAL(priorities, "336");
}

CAF_TEST(through_an_exchange_to_all_that_are_bound) {
  auto how = app_options{.broker_url = url};
  how.routing.queues["cats"] = {"zoo", "topic", "animal.cat.#"};
  how.broker.bindings = {{"cats", {"zoo", "topic", "animal.cat.#"}},
                         {"all", {"zoo", "topic", "animal.#"}}};
  auto options = how.broker;
  options.node = node_name{"w@h"};
  options.incarnation = make_uuid();
  const queue_name all{"all"};
  connect_broker(url, options).value()->declare({&all, 1}).value();
  umbel::app by_topic{how};
  by_topic.send_task("t", {1}, {},
                     {.queue = "cats", .routing_key = "animal.cat.lion"});
  by_topic.send_task("t", {2}, {},
                     {.exchange = "zoo", .routing_key = "animal.dog"});
  CAF_CHECK_EQUAL(sent("cats").size(), 1u);
  CAF_CHECK_EQUAL(sent("all").size(), 2u);
}

CAF_TEST(a_queue_that_may_not_be_made) {
  auto how = app_options{.broker_url = url};
  how.routing.create_missing = false;
  how.routing.queues["celery"] = {"celery", "direct", "celery"};
  umbel::app strict{how};
  strict.send_task("t");
  CAF_CHECK_EQUAL(thrown([&] { strict.send_task("t", {}, {}, {.queue = "x"}); }),
                  "QueueNotFound");
  CAF_CHECK_EQUAL(sent().size(), 1u);
}

CAF_TEST(a_result_that_is_ignored_is_not_waited_for) {
  auto t = app.task<json::value()>("t");
  auto result = t.with({.ignore_result = true});
  CAF_CHECK(result.ignored());
  CAF_CHECK(result.get().is_null());
  auto always = app.task<void()>("t", {.ignore_result = true});
  always.delay().get();
  CAF_CHECK(!always.with({.ignore_result = false}).ignored());
  // Of a workflow it is its last task that counts.
  CAF_CHECK(app.apply(t.s() | always.s()).ignored());
  CAF_CHECK(!app.apply(always.s() | t.s()).ignored());
  auto calls = always.pipeline();
  calls.delay().get();
  auto group = app.apply_group(canvas::make_group({always.s(), t.s()}));
  store(group.results()[1].id(), R"({"status": "SUCCESS", "result": 7})");
  CAF_CHECK_EQUAL(to_json(json::value_from(group.get())), "[null, 7]");
  std::string ended;
  group.for_each_as_completed([&](size_t i, const json::value& x) {
    ended += std::to_string(i) + to_json(x);
  });
  CAF_CHECK_EQUAL(ended, "0null17");
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

CAF_TEST(what_is_stored_of_a_task) {
  store("1", R"({"status": "FAILURE", "result": {"exc_type": "KeyError",
                 "exc_message": ["x"], "exc_module": "builtins"},
                 "traceback": "line 1", "worker": "w@h", "retries": 2})");
  auto result = app.result("1");
  CAF_CHECK_EQUAL(result.traceback(), "line 1");
  CAF_CHECK_EQUAL(to_json(result.meta()->more), R"({"worker": "w@h", "retries": 2})");
  CAF_CHECK_EQUAL(thrown([&] { result.maybe_throw(); }), "KeyError");
  CAF_CHECK(!app.result("2").meta());
  CAF_CHECK_EQUAL(thrown([&] { app.result("2").maybe_throw(); }), "nothing");
  store("2", R"({"status": "STARTED", "result": null})");
  CAF_CHECK_EQUAL(thrown([&] { app.result("2").maybe_throw(); }), "nothing");
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

CAF_TEST(times_of_a_pipeline_count_from_each_call) {
  auto t = app.task<void()>("t");
  auto calls = t.pipeline({.countdown = 60s, .expires_in = 90s});
  calls.delay();
  std::this_thread::sleep_for(2ms);
  auto later = now();
  calls.delay();
  calls.flush();
  auto all = sent();
  CAF_REQUIRE_EQUAL(all.size(), 2u);
  CAF_CHECK(*all[0].header.eta < later + 60s);
  CAF_CHECK(*all[1].header.eta >= later + 60s);
  CAF_CHECK(*all[0].header.expires < later + 90s);
  CAF_CHECK(*all[1].header.expires >= later + 90s);
}

CAF_TEST(a_pipeline_asks_functions_for_each_call) {
  router routes;
  routes.add([](const routed_call& x) -> std::optional<route> {
    return route{.queue = x.args.at(0) == json::value(1) ? "one" : "other"};
  });
  umbel::app routed{{.broker_url = url, .routing = {.routes = routes}}};
  auto calls = routed.pipeline("t");
  calls.send({1});
  calls.send({2});
  calls.flush();
  CAF_CHECK_EQUAL(sent("one").size(), 1u);
  CAF_CHECK_EQUAL(sent("other").size(), 1u);
}

CAF_TEST(a_pipeline_that_is_replaced_sends_what_it_has) {
  auto t = app.task<void()>("t");
  auto calls = t.pipeline();
  calls.delay();
  calls = t.pipeline({.queue = "other"});
  CAF_CHECK_EQUAL(sent().size(), 1u);
  calls.delay();
  auto moved = std::move(calls);
  moved.delay();
  moved.flush();
  CAF_CHECK_EQUAL(sent("other").size(), 2u);
}

CAF_TEST(unique_tasks_of_a_pipeline_are_refused_alone) {
  auto folder = std::filesystem::temp_directory_path() / make_uuid();
  std::filesystem::create_directory(folder);
  url = "sqlite://" + folder.string() + "/x.db";
  umbel::app unique{{.broker_url = url}};
  auto calls = unique.pipeline("t", {.headers = {{"unique_key", "k"}}});
  calls.send({});
  calls.send({});
  CAF_CHECK_EQUAL(thrown([&] { calls.flush(); }), "TaskRevokedError");
  calls.flush(); // there is nothing left that could be sent twice
  CAF_CHECK_EQUAL(sent().size(), 1u);
  std::filesystem::remove_all(folder);
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

CAF_TEST(what_a_task_sends_through_an_app_is_its_child) {
  registry tasks;
  tasks.task("parent", [this] {
    app.send_task("child", {}, {}, {.task_id = "c"});
    app.send_task("stranger", {}, {}, {.task_id = "s", .add_to_parent = false});
    app.apply_group(canvas::make_group({canvas::signature{.task = "member"}}));
  });
  auto call = call_of("parent", "p");
  call.root_id = "r";
  call.priority = 6;
  recording_sink sink;
  auto done = task_runner{tasks, {}}.run(1, make_task_message(call), sink);
  CAF_REQUIRE(done.kind == outcome_kind::success);
  auto document = parse_json(done.document).value();
  auto& children = document.at("children").as_array();
  CAF_REQUIRE_EQUAL(children.size(), 2u);
  CAF_CHECK_EQUAL(to_json(children[0]), R"([["c", null], null])");
  CAF_CHECK_EQUAL(children[1].at(1).as_array().size(), 1u); // a group's members
  auto all = sent();
  CAF_REQUIRE_EQUAL(all.size(), 3u);
  for (auto& x : all) {
    CAF_CHECK_EQUAL(x.header.parent_id, "p");
    CAF_CHECK_EQUAL(x.header.root_id, "r");
    CAF_CHECK_EQUAL(x.header.priority, 0);
  }
}

CAF_TEST(without_a_broker_there_is_one_error) {
  const std::string nobody{"redis://127.0.0.1:1"};
  umbel::app lost{{.broker_url = nobody, .result_url = nobody}};
  CAF_CHECK_EQUAL(thrown([&] { lost.send_task("t"); }), "OperationalError");
  CAF_CHECK_EQUAL(thrown([&] { lost.result("t").get(); }), "OperationalError");
  umbel::app meaningless{{.broker_url = "kafka://h"}};
  CAF_CHECK_EQUAL(thrown([&] { meaningless.send_task("t"); }),
                  "ImproperlyConfigured");
  umbel::app sends_only{{.broker_url = url}};
  CAF_CHECK_EQUAL(thrown([&] { sends_only.send_task("t").get(); }),
                  "NotImplementedError");
  CAF_CHECK_EQUAL(thrown([&] { sends_only.open_results(); }),
                  "NotImplementedError");
  canvas::signature part{.task = "t"};
  auto chord = canvas::make_chord(canvas::make_group({part}), part);
  CAF_CHECK_EQUAL(thrown([&] { sends_only.apply(chord); }), "NotImplementedError");
  canvas::signature none{.task = "", .kind = canvas::kind::chain};
  CAF_CHECK_EQUAL(thrown([&] { app.apply(none); }), "ValueError");
}

CAF_TEST_FIXTURE_SCOPE_END()
