#define CAF_SUITE event_dispatcher

#include "actors/cluster/event_dispatcher.hpp"

#include "protocol/message/envelope.hpp"

#include "tests/unit/dsl.hpp"

#include <deque>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct seen {
  std::vector<publish_message> published;
  size_t calls = 0;
  uint64_t number = 0; ///< of the last call
};

caf::behavior recorder(caf::event_based_actor*, seen* log) {
  return {[=](const publish_events& x) {
    ++log->calls;
    log->number = x.number;
    log->published.insert(log->published.end(), x.messages.begin(),
                          x.messages.end());
  }};
}

struct fixture : test_coordinator_fixture<> {
  seen log;
  caf::actor publisher;
  caf::actor uut;
  event_options options;

  fixture() {
    options.source = {node_name{"celery@a"}, 7};
    options.now = [] { return timestamp{} + 500'000h + 250ms; };
    *options.task_events = true;
    publisher = sys.spawn(recorder, &log);
    uut = sys.spawn(event_dispatcher, options);
  }

  ~fixture() {
    for (auto& hdl : {uut, publisher})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }

  void connect() {
    tell(publisher_up{publisher});
  }

  template <class T>
  void tell(T x) {
    caf::anon_send(uut, std::move(x));
    consume_messages();
  }

  /// The publisher has published what it has.
  void answer() {
    tell(events_published{log.number});
  }

  /// Sends many before the dispatcher looks.
  void emit(const char* type, size_t n = 1) {
    for (size_t i = 0; i < n; ++i)
      caf::anon_send(uut, emit_event{type, {{"uuid", i}}, {}});
    consume_messages();
  }

  std::deque<json::value> bodies;

  /// Kept, because checks refer to parts of it.
  const json::value& body(size_t i) {
    bodies.push_back(
      parse_json(parse_envelope(log.published.at(i).payload).value().body)
        .value());
    return bodies.back();
  }

  bool switched(bool on) {
    bool result = false;
    self->send(uut, switch_task_events{on});
    consume_messages();
    self->receive([&](task_events_switched x) { result = x.changed; });
    return result;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(event_dispatcher_tests, fixture)

CAF_TEST(a worker event goes alone) {
  connect();
  emit("worker-heartbeat");
  CAF_REQUIRE_EQUAL(log.published.size(), 1u);
  CAF_CHECK_EQUAL(log.published[0].exchange, "celeryev");
  CAF_CHECK_EQUAL(log.published[0].routing_key, "worker.heartbeat");
  auto headers = parse_envelope(log.published[0].payload).value().headers;
  CAF_CHECK_EQUAL(headers.at("hostname").as_string(), "celery@a");
  auto x = body(0);
  CAF_CHECK_EQUAL(x.at("type").as_string(), "worker-heartbeat");
  CAF_CHECK_EQUAL(x.at("hostname").as_string(), "celery@a");
  CAF_CHECK_EQUAL(x.at("pid").as_int64(), 7);
  CAF_CHECK_EQUAL(x.at("clock").as_int64(), 1);
  CAF_CHECK_EQUAL(x.at("timestamp").as_double(), 500'000.0 * 3600 + 0.25);
  CAF_CHECK(x.at("utcoffset").is_int64());
}

CAF_TEST(task events go together) {
  connect();
  emit("task-received", 2 * event_dispatcher_state::batch_max + 1);
  CAF_REQUIRE_EQUAL(log.published.size(), 1u); // the publisher has not answered
  answer();
  CAF_REQUIRE_EQUAL(log.published.size(), 3u);
  CAF_CHECK_EQUAL(log.calls, 2u);
  for (auto& x : log.published)
    CAF_CHECK_EQUAL(x.routing_key, "task.multi");
  CAF_CHECK_EQUAL(body(0).as_array().size(), event_dispatcher_state::batch_max);
  CAF_CHECK_EQUAL(body(2).as_array().size(), 1u);
  CAF_CHECK_EQUAL(body(2).at(0).at("clock").as_int64(), 49);
}

CAF_TEST(what tasks say themselves is said in any case) {
  connect();
  switched(false);
  emit_event own{"task-progress", {{"uuid", "1"}}, {}};
  own.own = true;
  caf::anon_send(uut, own);
  consume_messages();
  CAF_REQUIRE_EQUAL(log.published.size(), 1u);
  CAF_CHECK_EQUAL(log.published[0].routing_key, "task.progress");
  CAF_CHECK_EQUAL(body(0).at("uuid").as_string(), "1");
  // Nobody but the worker says that it goes.
  own.type = "worker-offline";
  caf::anon_send(uut, own);
  consume_messages();
  answer();
  emit("worker-heartbeat");
  answer();
  CAF_CHECK_EQUAL(log.published.size(), 3u);
}

CAF_TEST(the order of worker and task events is kept) {
  connect();
  caf::anon_send(uut, emit_event{"task-received", {}, {}});
  caf::anon_send(uut, emit_event{"worker-heartbeat", {}, {}});
  consume_messages();
  answer();
  CAF_REQUIRE_EQUAL(log.published.size(), 2u);
  CAF_CHECK_EQUAL(log.published[0].routing_key, "task.multi");
}

CAF_TEST(task events are turned off and on) {
  connect();
  CAF_CHECK(!switched(true));
  CAF_CHECK(switched(false));
  CAF_CHECK(!*options.task_events);
  emit("task-received");
  CAF_CHECK(log.published.empty());
  emit("worker-online");
  CAF_CHECK_EQUAL(log.published.size(), 1u);
  CAF_CHECK(switched(true));
  CAF_CHECK(*options.task_events);
}

CAF_TEST(without a connection the newest are kept) {
  emit("worker-heartbeat", event_dispatcher_state::waiting_max + 5);
  connect();
  while (log.calls * event_dispatcher_state::ahead_max
         < event_dispatcher_state::waiting_max)
    answer();
  CAF_CHECK_EQUAL(log.published.size(), event_dispatcher_state::waiting_max);
  CAF_CHECK_EQUAL(body(0).at("uuid").as_int64(), 5);
}

CAF_TEST(a publisher that dies is replaced) {
  connect();
  emit("worker-online");
  caf::anon_send_exit(publisher, caf::exit_reason::kill);
  consume_messages();
  emit("worker-heartbeat");
  CAF_CHECK_EQUAL(log.published.size(), 1u);
  publisher = sys.spawn(recorder, &log);
  connect();
  CAF_MESSAGE("it may have died with the first");
  CAF_REQUIRE_EQUAL(log.published.size(), 3u);
  CAF_CHECK_EQUAL(log.published[1].routing_key, "worker.online");
  CAF_CHECK_EQUAL(log.published[2].routing_key, "worker.heartbeat");
}

CAF_TEST(what was sent to a publisher and its successor may be answered twice) {
  connect();
  emit("worker-online");
  auto before = log.number;
  caf::anon_send_exit(publisher, caf::exit_reason::kill);
  consume_messages();
  publisher = sys.spawn(recorder, &log);
  connect();
  emit("worker-heartbeat");
  tell(events_published{before}); // the other one has handed it on
  CAF_CHECK_EQUAL(log.calls, 2u);
  answer();
  CAF_CHECK_EQUAL(log.calls, 3u);
  tell(events_published{before});
  emit("worker-offline");
  CAF_CHECK_EQUAL(log.calls, 3u);
  answer();
  CAF_REQUIRE_EQUAL(log.published.size(), 4u);
  CAF_CHECK_EQUAL(log.published[2].routing_key, "worker.heartbeat");
  CAF_CHECK_EQUAL(log.published[3].routing_key, "worker.offline");
}

CAF_TEST(a worker ends when everything is said) {
  connect();
  emit("worker-heartbeat");
  emit("task-succeeded");
  CAF_REQUIRE_EQUAL(log.published.size(), 1u);
  auto finished = false;
  auto ends = sys.spawn([&](caf::event_based_actor*) -> caf::behavior {
    return {[&](events_finished) { finished = true; }};
  });
  caf::send_as(ends, uut, finish_events{});
  consume_messages();
  answer();
  CAF_CHECK_EQUAL(log.published.size(), 2u);
  CAF_CHECK(!finished);
  answer();
  CAF_CHECK(finished);
  // Nobody waits for a broker that does not answer.
  finished = false;
  emit("worker-heartbeat");
  caf::send_as(ends, uut, finish_events{});
  consume_messages();
  CAF_CHECK(!finished);
  advance_time(1s);
  consume_messages();
  CAF_CHECK(finished);
  finished = false;
  caf::anon_send_exit(publisher, caf::exit_reason::kill);
  caf::send_as(ends, uut, finish_events{});
  consume_messages();
  CAF_CHECK(finished);
  caf::anon_send_exit(ends, caf::exit_reason::kill);
}

CAF_TEST(nothing comes after the last word) {
  connect();
  emit("worker-offline");
  emit("worker-heartbeat");
  answer();
  CAF_CHECK_EQUAL(log.published.size(), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
