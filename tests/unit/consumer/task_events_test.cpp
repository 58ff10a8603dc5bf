#define CAF_SUITE task_events

#include "actors/cluster/messages.hpp"
#include "actors/consumer/consumer.hpp"

#include "tests/unit/dsl.hpp"

#include <fmt/format.h>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct seen {
  std::vector<job> jobs;
  std::vector<emit_event> events;
  bool finishing = false; ///< the dispatcher is asked to say what is to be said
  size_t released = 0; ///< how often the lease was given up
};

/// Stands for everybody around the consumer.
caf::behavior everybody(caf::event_based_actor*, seen* log) {
  return {
    [](const attach_consumer&) {},  [](credit) {},
    [](const settle_batch&) {},     [](const renew_lease&) {},
    [](recover_lost) {},            [](pause_reader) {},
    [](const withdraw_jobs&) {},    [](quiet) {},
    [=](const run_jobs& x) {
      log->jobs.insert(log->jobs.end(), x.jobs.begin(), x.jobs.end());
    },
    [](const publisher_up&) {},
    [=](finish_events) { log->finishing = true; },
    [=](release_lease) { ++log->released; },
    [=](const emit_event& x) { log->events.push_back(x); },
  };
}

std::string payload(const std::string& id, const std::string& expires) {
  return fmt::format(
    R"({{"body": "W1sxLCAyXSwge30sIHt9XQ==", "content-encoding": "utf-8", )"
    R"("content-type": "application/json", "headers": {{"lang": "py", )"
    R"("task": "tasks.add", "id": "{}", "eta": null, "expires": {}, )"
    R"("group": null, "retries": 1, "timelimit": [null, null], )"
    R"x("root_id": "r", "parent_id": null, "argsrepr": "(1, 2)"}}, )x"
    R"("properties": {{"correlation_id": "{}", "reply_to": "", )"
    R"("delivery_mode": 2, "delivery_info": {{"exchange": "", )"
    R"("routing_key": "celery"}}, "priority": 0, )"
    R"("body_encoding": "base64", "delivery_tag": "t"}}}})",
    id, expires, id);
}

struct fixture : test_coordinator_fixture<> {
  seen log;
  caf::actor other;
  caf::actor uut;
  std::shared_ptr<std::atomic<bool>> on
    = std::make_shared<std::atomic<bool>>(true);
  timestamp wall_clock = timestamp{} + 500'000h;
  size_t drains = 0;
  size_t active = 0; ///< when it was told to drain

  fixture() {
    other = sys.spawn(everybody, &log);
    consumer_options options;
    options.now = [this] { return wall_clock; };
    options.events = other;
    options.task_events = on;
    options.on_draining = [this](auto& runs) {
      ++drains;
      active = runs.active;
    };
    uut = sys.spawn(consumer, std::move(options), other, other);
    task_options task;
    task.name = "tasks.add";
    tell(pool_ready{{task}});
    tell(writer_up{other});
    tell(settler_up{other});
    tell(reader_up{other});
  }

  ~fixture() {
    for (auto& hdl : {uut, other})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }

  template <class T>
  void tell(T x) {
    caf::anon_send(uut, std::move(x));
    consume_messages();
  }

  void deliver(const std::string& id, const std::string& expires = "null") {
    delivery x{delivery_tag{"n/i/" + id}, queue_name{"celery"},
               payload(id, expires)};
    caf::send_as(other, uut, deliveries{{std::move(x)}});
    consume_messages();
  }

  void finish(outcome_kind kind, const std::string& summary = {}) {
    outcome x;
    x.job = log.jobs.back().id;
    x.kind = kind;
    x.summary = summary;
    x.runtime = 250ms;
    pool_report report;
    report.outcomes.push_back(std::move(x));
    tell(std::move(report));
  }

  /// The events since it was asked last.
  std::vector<emit_event> told() {
    return std::exchange(log.events, {});
  }

  template <class Answer, class Question>
  Answer ask(Question x) {
    Answer result;
    self->send(uut, std::move(x));
    consume_messages();
    self->receive([&](Answer& y) { result = std::move(y); });
    return result;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(task_events_tests, fixture)

CAF_TEST(a task that succeeds) {
  deliver("a");
  auto events = told();
  CAF_REQUIRE_EQUAL(events.size(), 1u);
  CAF_CHECK_EQUAL(events[0].type, "task-received");
  CAF_CHECK_EQUAL(to_json(events[0].fields),
                  R"x({"name": "tasks.add", "args": "(1, 2)", "kwargs": "{}", )x"
                  R"x("root_id": "r", "parent_id": null, "retries": 1, )x"
                  R"x("eta": null, "expires": null, "uuid": "a"})x");
  finish(outcome_kind::success, "3");
  events = told();
  CAF_REQUIRE_EQUAL(events.size(), 2u);
  CAF_CHECK_EQUAL(events[0].type, "task-started");
  CAF_CHECK(events[0].time == wall_clock - 250ms);
  CAF_CHECK_EQUAL(events[1].type, "task-succeeded");
  CAF_CHECK_EQUAL(to_json(events[1].fields),
                  R"({"result": "3", "runtime": 0.25, "uuid": "a"})");
}

CAF_TEST(a start is told once) {
  deliver("a");
  tell(pool_report{{}, {log.jobs.back().id}});
  finish(outcome_kind::failure, "ValueError()");
  auto events = told();
  CAF_REQUIRE_EQUAL(events.size(), 3u);
  CAF_CHECK_EQUAL(events[1].type, "task-started");
  CAF_CHECK_EQUAL(events[2].type, "task-failed");
  CAF_CHECK_EQUAL(events[2].fields.at("exception").as_string(), "ValueError()");
}

CAF_TEST(other ends) {
  deliver("a");
  finish(outcome_kind::retry, "Retry in 1s: ValueError('a: b')");
  auto retried = told().back();
  CAF_CHECK_EQUAL(retried.fields.at("exception").as_string(),
                  "ValueError('a: b')");
  deliver("b");
  finish(outcome_kind::requeue);
  auto rejected = told().back();
  CAF_CHECK_EQUAL(rejected.type, "task-rejected");
  CAF_CHECK_EQUAL(rejected.fields.at("requeue").as_bool(), true);
  deliver("c");
  told();
  finish(outcome_kind::ignore);
  CAF_CHECK_EQUAL(told().size(), 1u); // its start
}

CAF_TEST(a child that is lost) {
  deliver("a");
  tell(job_lost{log.jobs.back().id, "signal 11 (SIGSEGV)"});
  auto lost = told().back();
  CAF_CHECK_EQUAL(lost.type, "task-failed");
  CAF_CHECK(lost.fields.at("exception").as_string().starts_with("WorkerLost"));
}

CAF_TEST(revoked and expired tasks are not received) {
  tell(revoke_tasks{{task_id{"a"}}, {}});
  deliver("a");
  auto events = told();
  CAF_REQUIRE_EQUAL(events.size(), 1u);
  CAF_CHECK_EQUAL(to_json(events[0].fields),
                  R"({"terminated": false, "signum": null, )"
                  R"("expired": false, "uuid": "a"})");
  deliver("b", R"("2000-01-01T00:00:00")");
  events = told();
  CAF_REQUIRE_EQUAL(events.size(), 1u);
  CAF_CHECK_EQUAL(events[0].fields.at("expired").as_bool(), true);
}

CAF_TEST(a terminated run) {
  deliver("a");
  tell(pool_report{{}, {log.jobs.back().id}});
  tell(revoke_tasks{{task_id{"a"}}, 9});
  tell(job_lost{log.jobs.back().id, "signal 9 (SIGKILL)"});
  auto x = told().back();
  CAF_CHECK_EQUAL(x.type, "task-revoked");
  CAF_CHECK_EQUAL(to_json(x.fields), R"({"terminated": true, "signum": 9, )"
                                     R"("expired": false, "uuid": "a"})");
}

CAF_TEST(nobody is told while events are off) {
  *on = false;
  deliver("a");
  finish(outcome_kind::success);
  deliver("b");
  tell(job_lost{log.jobs.back().id, "signal 9 (SIGKILL)"});
  CAF_CHECK(told().empty());
}

// -- what remote control asks -----------------------------------------------------

CAF_TEST(what it has and has done) {
  deliver("a");
  tell(pool_report{{}, {log.jobs.back().id}});
  advance_time(10ms);
  consume_messages();
  deliver("b");
  auto list = ask<request_list>(list_requests{}).requests;
  CAF_REQUIRE_EQUAL(list.size(), 2u);
  CAF_CHECK_EQUAL(list[0].id, "a");
  CAF_CHECK(list[0].begun && list[0].acked && !list[0].due);
  CAF_CHECK_EQUAL(list[1].id, "b");
  CAF_CHECK(!list[1].begun && !list[1].acked);
  auto runs = ask<run_counts>(count_runs{});
  CAF_CHECK_EQUAL(runs.active, 1u);
  CAF_CHECK_EQUAL(runs.total(), 1u);
  finish(outcome_kind::success);
  runs = ask<run_counts>(count_runs{});
  CAF_CHECK_EQUAL(runs.begun["tasks.add"], 2u);
}

CAF_TEST(limits are changed) {
  CAF_CHECK(!ask<change>(set_rate_limit{"no.such", rate{1s}}).known);
  CAF_CHECK(!ask<change>(set_time_limits{"no.such", {}, 1s}).known);
  CAF_CHECK(ask<change>(set_rate_limit{"tasks.add", rate{1s}}).known);
  CAF_CHECK(ask<task_list>(list_tasks{}).tasks.at(0).rate == rate{1s});
  CAF_CHECK(ask<change>(set_rate_limit{"tasks.add", {}}).known);
  CAF_CHECK(!ask<task_list>(list_tasks{}).tasks.at(0).rate.limits());
  CAF_CHECK(ask<change>(set_time_limits{"tasks.add", {}, 1s}).known);
  deliver("a");
  CAF_CHECK(log.jobs.back().limits.hard == 1s);
}

CAF_TEST(what is revoked) {
  tell(revoke_tasks{{task_id{"a"}, task_id{"b"}}, {}});
  auto ids = ask<revoked_list>(list_revoked{}).ids;
  CAF_REQUIRE_EQUAL(ids.size(), 2u);
  CAF_CHECK_EQUAL(ids[0].first, "a");
}

CAF_TEST(a drain is told before anything ends) {
  deliver("a");
  tell(pool_report{{}, {log.jobs.back().id}}); // it has begun a moment ago
  caf::send_as(other, uut, drain{});
  consume_messages();
  CAF_CHECK_EQUAL(drains, 1u);
  CAF_CHECK_EQUAL(active, 1u);
}

CAF_TEST(a worker ends when everything is told) {
  caf::send_as(other, uut, drain{});
  consume_messages();
  tell(reader_paused{});
  CAF_CHECK(log.finishing);
  CAF_CHECK_EQUAL(log.released, 0u);
  tell(events_finished{});
  tell(events_finished{}); // asked again when a writer was lost
  CAF_CHECK_EQUAL(log.released, 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
