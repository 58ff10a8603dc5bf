#define CAF_SUITE control

#include "actors/cluster/control.hpp"

#include "actors/consumer/inspection.hpp"
#include "actors/consumer/messages.hpp"
#include "actors/pool/messages.hpp"
#include "actors/root.hpp"
#include "protocol/message/envelope.hpp"

#include "tests/unit/dsl.hpp"

#include <deque>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct seen {
  std::vector<publish_message> published;
  std::vector<int64_t> grown;
  size_t shutdowns = 0;
  size_t queue_changes = 0;
  size_t replaced = 0;
  std::vector<begin_election> elections;
  std::vector<task_id> learned;
  bool silent = false; ///< the consumer answers nothing
};

/// Stands for everybody whom `control` asks.
caf::behavior everybody(caf::event_based_actor* self, seen* log) {
  return {
    [=](const publish_message& x) { log->published.push_back(x); },
    [=](grow_pool x) -> caf::result<pool_info> {
      log->grown.push_back(x.by);
      if (x.by < 0)
        return caf::make_error(caf::sec::invalid_argument,
                               std::string{"too few"});
      return pool_info{};
    },
    [=](list_processes) { return pool_info{2, {11, 12}, {{1, 11}}, 0}; },
    [=](list_tasks) -> caf::result<task_list> {
      if (!log->silent)
        return task_list{{{"tasks.add", rate{100ms}}, {"tasks.echo", {}}}};
      [[maybe_unused]] auto lost = self->make_response_promise();
      return caf::delegated<task_list>{};
    },
    [=](const shutdown_step&) { ++log->shutdowns; },
    [=](queues_changed) {
      ++log->queue_changes;
      return queues_taken{};
    },
    [=](replace_children) {
      ++log->replaced;
      return pool_info{};
    },
    [=](const begin_election& x) { log->elections.push_back(x); },
    [=](const learn_revoked& x) {
      log->learned.insert(log->learned.end(), x.ids.begin(), x.ids.end());
    },
    [=](list_revoked) {
      return revoked_list{{{"mine", timestamp{} + 500'000h}}};
    },
  };
}

struct fixture : test_coordinator_fixture<> {
  seen log;
  worker_config config;
  std::shared_ptr<consumed_queues> queues = std::make_shared<consumed_queues>(
    std::vector<queue_name>{queue_name{"celery"}});
  caf::actor other;
  caf::actor uut;

  fixture() {
    config.broker.node = node_name{"celery@a"};
    config.broker.queues = {queue_name{"celery"}};
    other = sys.spawn(everybody, &log);
    start({other, other, nullptr, other, other, nullptr});
  }

  ~fixture() {
    for (auto& hdl : {uut, other})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }

  void start(control_colleagues colleagues) {
    control_options options;
    options.config = &config;
    options.queues = queues;
    uut = sys.spawn(umbel::control, options, std::move(colleagues));
  }

  void order(const std::string& method, json::object arguments = {},
             bool answered = true) {
    control_request x;
    x.method = method;
    x.arguments = std::move(arguments);
    if (answered)
      x.reply_to = reply_address{"reply.celery.pidbox", "me", "ticket"};
    x.clock = 40;
    caf::anon_send(uut, control_command{std::move(x)});
    consume_messages();
  }

  std::deque<json::value> answers;

  /// The answer to the last command, and that it is the only one. Kept, because
  /// checks refer to parts of it.
  const json::value& answer() {
    CAF_REQUIRE_EQUAL(log.published.size(), 1u);
    auto message = std::move(log.published.back());
    log.published.clear();
    CAF_CHECK_EQUAL(message.exchange, "reply.celery.pidbox");
    CAF_CHECK_EQUAL(message.routing_key, "me");
    auto x = parse_envelope(message.payload).value();
    CAF_CHECK_EQUAL(x.headers.at("ticket").as_string(), "ticket");
    CAF_CHECK_GREATER(x.headers.at("clock").as_int64(), 41);
    auto body = parse_json(x.body).value();
    CAF_CHECK_EQUAL(body.as_object().size(), 1u);
    answers.push_back(body.as_object().at("celery@a"));
    return answers.back();
  }

  std::string asked(const std::string& method, json::object arguments = {}) {
    order(method, std::move(arguments));
    return to_json(answer());
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(control_tests, fixture)

CAF_TEST(what it knows itself) {
  CAF_CHECK_EQUAL(asked("ping"), R"({"ok": "pong"})");
  order("clock");
  CAF_CHECK_GREATER(answer().at("clock").as_int64(), 40);
  order("active_queues");
  CAF_CHECK_EQUAL(answer().at(0).at("exchange").at("type").as_string(),
                  "direct");
}

CAF_TEST(an unknown command and one without answer) {
  CAF_CHECK_EQUAL(asked("dance"), R"x({"error": "KeyError('dance')"})x");
  order("ping", {}, false);
  CAF_CHECK(log.published.empty());
}

CAF_TEST(it asks others) {
  CAF_CHECK_EQUAL(asked("registered"),
                  R"(["tasks.add [rate_limit=10/s]", "tasks.echo"])");
  CAF_CHECK_EQUAL(asked("registered", {{"taskinfoitems", {"exchange"}}}),
                  R"(["tasks.add", "tasks.echo"])");
}

CAF_TEST(who does not answer in time is an error) {
  log.silent = true;
  order("registered");
  CAF_CHECK(log.published.empty());
  advance_time(2s);
  consume_messages();
  CAF_CHECK_EQUAL(to_json(answer()), R"({"error": "no answer within 0.8 s"})");
}

CAF_TEST(who is dead is an error) {
  caf::actor dead = sys.spawn([](caf::event_based_actor* self) { self->quit(); });
  consume_messages();
  caf::anon_send_exit(uut, caf::exit_reason::kill);
  start({other, other, nullptr, dead, other, nullptr});
  CAF_CHECK_EQUAL(asked("registered"),
                  R"({"error": "this part of the worker is being restarted"})");
}

CAF_TEST(too many commands at once are refused) {
  log.silent = true;
  for (size_t i = 0; i < control_state::open_max; ++i)
    order("registered");
  CAF_CHECK(log.published.empty());
  CAF_CHECK_EQUAL(asked("ping"),
                  R"({"error": "100 commands are not answered yet"})");
  advance_time(2s);
  consume_messages();
  CAF_CHECK_EQUAL(log.published.size(), control_state::open_max);
  log.published.clear();
  CAF_CHECK_EQUAL(asked("ping"), R"({"ok": "pong"})");
}

CAF_TEST(the pool grows and shrinks) {
  CAF_CHECK_EQUAL(asked("pool_grow"), R"({"ok": "pool will grow"})");
  CAF_CHECK_EQUAL(asked("pool_grow", {{"n", "3"}}),
                  R"({"ok": "pool will grow"})");
  CAF_CHECK(asked("pool_shrink", {{"n", 2}}).starts_with(R"({"error": )"));
  CAF_CHECK_EQUAL(log.grown.size(), 3u);
  CAF_CHECK_EQUAL(log.grown[1], 3);
  CAF_CHECK_EQUAL(log.grown[2], -2);
  for (json::value bad : {json::value(-1), json::value("x"), json::value(1.5),
                          json::value(json::array{}), json::value(5'000)})
    CAF_CHECK(asked("pool_grow", {{"n", bad}}).starts_with(R"({"error": )"));
  CAF_CHECK_EQUAL(log.grown.size(), 3u);
  config.pool = pool_kind::solo;
  CAF_CHECK(asked("pool_grow").starts_with(R"({"error": )"));
}

CAF_TEST(queues come and go) {
  config.broker.bindings["everyone"] = {"everyone", "fanout", ""};
  config.settings.broker_url = "memory://queues-come-and-go";
  CAF_CHECK_EQUAL(asked("add_consumer", {{"queue", "q"}}),
                  R"({"ok": "add consumer q"})");
  CAF_CHECK_EQUAL(asked("add_consumer",
                        {{"queue", "q"}, {"exchange", "q"},
                         {"exchange_type", "direct"}, {"routing_key", nullptr}}),
                  R"({"ok": "add consumer q"})");
  CAF_CHECK_EQUAL(log.queue_changes, 1u);
  order("active_queues");
  CAF_CHECK_EQUAL(answer().as_array().size(), 2u);
  CAF_CHECK_EQUAL(asked("cancel_consumer", {{"queue", "celery"}}),
                  R"({"ok": "no longer consuming from celery"})");
  CAF_CHECK_EQUAL(asked("cancel_consumer", {{"queue", "never was"}}),
                  R"({"ok": "no longer consuming from never was"})");
  CAF_CHECK_EQUAL(log.queue_changes, 2u);
  auto now = queues->list();
  CAF_REQUIRE_EQUAL(now.size(), 1u);
  CAF_CHECK_EQUAL(now[0].str(), "q");
  for (json::object bad :
       {json::object{}, json::object{{"queue", ""}}, json::object{{"queue", 3}},
        json::object{{"queue", "x"}, {"exchange", 3}},
        json::object{{"queue", "x"}, {"exchange_type", "headers"}},
        json::object{{"queue", "x"}, {"exchange_type", "fanout"}},
        json::object{{"queue", "everyone"}}})
    CAF_CHECK(asked("add_consumer", bad).starts_with(R"({"error": )"));
  // A broker that is away: nothing is changed.
  config.settings.broker_url = "redis://127.0.0.1:1";
  CAF_CHECK(asked("add_consumer", {{"queue", "x"}}).starts_with(R"({"error": )"));
  CAF_CHECK_EQUAL(queues->list().size(), 1u);
}

CAF_TEST(a queue that comes is bound as it is told) {
  config.settings.broker_url = "memory://bound-as-told";
  CAF_CHECK_EQUAL(asked("add_consumer",
                        {{"queue", "cats"}, {"exchange", "zoo"},
                         {"exchange_type", "topic"}, {"routing_key", "cat.#"}}),
                  R"({"ok": "add consumer cats"})");
  order("active_queues");
  auto& cats = answer().at(1);
  CAF_CHECK_EQUAL(cats.at("exchange").at("name").as_string(), "zoo");
  CAF_CHECK_EQUAL(cats.at("exchange").at("type").as_string(), "topic");
  CAF_CHECK_EQUAL(cats.at("routing_key").as_string(), "cat.#");
  auto x = connect_broker(config.settings.broker_url, config.broker).value();
  CAF_CHECK_EQUAL(x->publish("zoo", "cat.big", "{}", 0).value(), 1u);
  CAF_CHECK_EQUAL(x->publish("zoo", "dog", "{}", 0).value(), 0u);
}

CAF_TEST(the pool is restarted where that is enabled) {
  CAF_CHECK_EQUAL(asked("pool_restart"),
                  R"x({"error": "ValueError('Pool restarts not enabled')"})x");
  config.settings.worker_pool_restarts = true;
  CAF_CHECK_EQUAL(asked("pool_restart"), R"({"ok": "reload started"})");
  CAF_CHECK_EQUAL(log.replaced, 1u);
  config.pool = pool_kind::threads;
  CAF_CHECK(asked("pool_restart").starts_with(R"({"error": )"));
}

CAF_TEST(nobody is killed unless that is enabled) {
  CAF_CHECK(asked("kill", {{"actor", "reader"}}).starts_with(R"({"error": )"));
}

CAF_TEST(elections need gossip) {
  json::object arguments{{"id", "x"}, {"topic", "task"}, {"action", 3}};
  CAF_CHECK_EQUAL(asked("election", arguments), "null");
  caf::anon_send_exit(uut, caf::exit_reason::kill);
  start({other, other, nullptr, other, other, nullptr, other});
  CAF_CHECK_EQUAL(asked("election", arguments), "null");
  CAF_REQUIRE_EQUAL(log.elections.size(), 1u);
  CAF_CHECK_EQUAL(log.elections[0].id, "x");
  CAF_CHECK_EQUAL(to_json(log.elections[0].action), "3");
  CAF_CHECK(asked("election").starts_with(R"({"error": )"));
}

CAF_TEST(hello is answered and what it says is learned) {
  order("hello", {{"from_node", "celery@b"},
                  {"revoked", json::object{{"x", json::array{1.5, "x"}}}}});
  auto& x = answer().as_object();
  CAF_CHECK(x.at("revoked").at("mine").at(0).is_double());
  CAF_CHECK_GREATER(x.at("clock").as_int64(), 40);
  CAF_REQUIRE_EQUAL(log.learned.size(), 1u);
  CAF_CHECK_EQUAL(asked("hello", {{"from_node", "celery@a"}}), "null");
}

CAF_TEST(shutdown is not answered) {
  order("shutdown");
  CAF_CHECK(log.published.empty());
  CAF_CHECK_EQUAL(log.shutdowns, 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
