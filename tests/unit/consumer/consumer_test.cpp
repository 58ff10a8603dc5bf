#define CAF_SUITE consumer

#include "actors/consumer/consumer.hpp"

#include "tests/unit/dsl.hpp"

#include <fmt/format.h>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// What the actors around the consumer saw, in order.
struct seen {
  std::vector<job> jobs;
  std::vector<uint64_t> woken_at;
  std::vector<settlement> settled;
  std::vector<settle_batch> batches;
  std::vector<take_turns> questions;
  size_t credit = 0;
  bool quiet = false;
  bool paused = false;
  bool released = false;
  bool drained = false;
  std::vector<size_t> taken_back;
  std::vector<uint64_t> killed;
  std::vector<withdraw_jobs> withdrawn;
  std::vector<tasks_revoked> answers;
  size_t renewals = 0;
  size_t recoveries = 0;
  std::vector<work_until> limits;
  std::vector<appetite> appetites;
};

/// Stands for pool, timer, reader and writer at once, and only writes down.
caf::behavior recorder(caf::event_based_actor*, seen* log) {
  return {
    [](const attach_consumer&) {},
    [=](const run_jobs& x) {
      log->jobs.insert(log->jobs.end(), x.jobs.begin(), x.jobs.end());
    },
    [=](const wake_at& x) { log->woken_at.push_back(x.id); },
    [=](const settle_batch& x) {
      log->batches.push_back(x);
      log->settled.insert(log->settled.end(), x.settlements->begin(),
                          x.settlements->end());
    },
    [=](const take_turns& x) { log->questions.push_back(x); },
    [=](credit x) { log->credit += x.messages; },
    [=](quiet) { log->quiet = true; },
    [=](pause_reader) { log->paused = true; },
    [=](take_back x) { log->taken_back.push_back(x.keep); },
    [=](const withdraw_jobs& x) { log->withdrawn.push_back(x); },
    [=](const tasks_revoked& x) { log->answers.push_back(x); },
    [=](kill_job x) { log->killed.push_back(x.job); },
    [=](const renew_lease&) { ++log->renewals; },
    [=](recover_lost) { ++log->recoveries; },
    [=](work_until x) { log->limits.push_back(x); },
    [=](release_lease) { log->released = true; },
    [=](drained) { log->drained = true; },
    [=](const appetite& x) { log->appetites.push_back(x); },
  };
}

std::string payload(const std::string& id, const std::string& task,
                    const std::string& eta = "null",
                    const std::string& expires = "null",
                    const std::string& timelimit = "[null, null]") {
  return fmt::format(
    R"({{"body": "W1tdLCB7fSwge31d", "content-encoding": "utf-8", )"
    R"("content-type": "application/json", "headers": {{"lang": "py", )"
    R"("task": "{}", "id": "{}", "eta": {}, "expires": {}, "group": null, )"
    R"("retries": 0, "timelimit": {}, "root_id": "{}", )"
    R"("parent_id": null}}, "properties": {{"correlation_id": "{}", )"
    R"("reply_to": "", "delivery_mode": 2, "delivery_info": )"
    R"({{"exchange": "", "routing_key": "celery"}}, "priority": 0, )"
    R"("body_encoding": "base64", "delivery_tag": "t"}}}})",
    task, id, eta, expires, timelimit, id, id);
}

/// tasks.add may begin once in an interval.
consumer_options limited(std::chrono::microseconds interval,
                         rate_scope scope = rate_scope::worker) {
  consumer_options result;
  result.rate_of = [=](const task_options& x) {
    return x.name == "tasks.add" ? task_rate{rate{interval}, scope, ""}
                                 : task_rate{};
  };
  return result;
}

consumer_options window(size_t size, bool fixed = false) {
  consumer_options result;
  result.prefetch = size;
  result.prefetch_fixed = fixed;
  return result;
}

struct fixture : test_coordinator_fixture<> {
  seen log;
  caf::actor other;
  caf::actor uut;
  uint64_t last = 0;
  timestamp wall_clock = timestamp{} + 500'000h;

  fixture() {
    other = sys.spawn(recorder, &log);
  }

  ~fixture() {
    for (auto& hdl : {uut, other})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }

  /// Starts the consumer, its pool and its connections.
  void start(consumer_options options = {}) {
    options.now = [this] { return wall_clock; };
    uut = sys.spawn(consumer, std::move(options), other, other);
    task_options early;
    early.name = "tasks.add";
    task_options late;
    late.name = "tasks.late";
    late.acks_late = true;
    tell(pool_ready{{early, late}});
    tell(writer_up{other});
    tell(settler_up{other});
    tell(reader_up{other});
  }

  template <class T>
  void tell(T x) {
    caf::anon_send(uut, std::move(x));
    consume_messages();
  }

  /// From the reader.
  void come(deliveries x) {
    order(std::move(x));
  }

  /// As from root, who wants an answer.
  template <class T>
  void order(T x) {
    caf::send_as(other, uut, std::move(x));
    consume_messages();
  }

  delivery make(const std::string& task, const std::string& eta = "null",
                const std::string& expires = "null") {
    auto id = std::to_string(++last);
    return {delivery_tag{"n/i/" + id}, queue_name{"celery"},
            payload("id-" + id, task, eta, expires)};
  }

  std::string due_in(std::chrono::milliseconds d) {
    return '"' + format_time(wall_clock + d) + '"';
  }

  /// One delivery with this header `timelimit`: "[hard, soft]".
  void deliver_limited(const std::string& task, const std::string& timelimit) {
    auto x = make(task);
    x.payload = payload("id-" + std::to_string(last), task, "null", "null",
                        timelimit);
    come(deliveries{{std::move(x)}});
  }

  void deliver(const std::string& task, size_t n = 1) {
    deliveries x;
    for (size_t i = 0; i < n; ++i)
      x.batch.push_back(make(task));
    come(std::move(x));
  }

  outcome done(uint64_t job, outcome_kind kind = outcome_kind::success) {
    outcome x;
    x.job = job;
    x.kind = kind;
    x.document = R"({"status": "SUCCESS"})";
    return x;
  }

  void finish(uint64_t job, outcome_kind kind = outcome_kind::success) {
    tell(pool_report{{done(job, kind)}, {}});
  }

  void confirm_all() {
    tell(confirmed{log.batches.back().number});
  }

  void pass(caf::timespan d) {
    advance_time(d);
    consume_messages();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(consumer_tests, fixture)

CAF_TEST(a reader that was left behind is not listened to) {
  start(window(8, true));
  auto left_behind = sys.spawn(recorder, &log);
  caf::send_as(left_behind, uut, deliveries{{make("tasks.add")}});
  consume_messages();
  CAF_CHECK(log.jobs.empty());
  deliver("tasks.add");
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
  caf::anon_send_exit(left_behind, caf::exit_reason::kill);
}

CAF_TEST(it says whether it is hungry) {
  start(window(2, true));
  auto hungry = [this] {
    order(list_appetite{});
    return log.appetites.back().hungry;
  };
  CAF_CHECK(hungry());
  CAF_CHECK(log.appetites.back().reader == other);
  CAF_CHECK(log.appetites.back().writer == other);
  deliver("tasks.add", 2);
  CAF_CHECK(!hungry());
  CAF_CHECK_EQUAL(log.appetites.back().delivered, 2u);
  finish(1);
  CAF_CHECK(hungry());
  order(drain{});
  CAF_CHECK(!hungry());
}

CAF_TEST(the prefetch window follows the size of the pool) {
  start(window(8, true));
  CAF_CHECK_EQUAL(log.credit, 8u);
  tell(pool_capacity{5});
  CAF_CHECK_EQUAL(log.credit, 20u);
  CAF_MESSAGE("credit that was given stays; there is no more of it");
  tell(pool_capacity{1});
  CAF_CHECK_EQUAL(log.credit, 20u);
}

CAF_TEST(credit is granted once tasks and reader are there) {
  start(window(8));
  CAF_CHECK_EQUAL(log.credit, 8u);
  CAF_CHECK_EQUAL(log.recoveries, 1u);
}

CAF_TEST(a delivery becomes a job and its credit comes back at the end) {
  start(window(8));
  deliver("tasks.add");
  CAF_REQUIRE_EQUAL(log.jobs.size(), 1u);
  CAF_CHECK_EQUAL(log.jobs[0].task, "tasks.add");
  CAF_CHECK_EQUAL(log.credit, 8u);
  finish(log.jobs[0].id);
  CAF_CHECK_EQUAL(log.credit, 9u);
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  auto& s = log.settled[0];
  CAF_CHECK(s.how == disposition::ack);
  CAF_REQUIRE(s.result);
  CAF_CHECK_EQUAL(s.result->id.str(), "id-1");
}

CAF_TEST(nothing is fetched while the broker lags far behind with settlements) {
  constexpr auto max = consumer_state::unconfirmed_max;
  start(window(8, true));
  for (size_t i = 0; i <= max; ++i) {
    deliver("tasks.add");
    finish(log.jobs.back().id);
  }
  CAF_CHECK_EQUAL(log.credit, 8u + max);
  deliver("tasks.add");
  finish(log.jobs.back().id);
  CAF_CHECK_EQUAL(log.credit, 8u + max);
  tell(confirmed{log.batches.at(0).number});
  CAF_CHECK_EQUAL(log.credit, 8u + max);
  confirm_all();
  CAF_CHECK_EQUAL(log.credit, 8u + max + 2);
}

CAF_TEST(a task that runs on is acknowledged a moment after its start) {
  start();
  deliver("tasks.add");
  auto id = log.jobs.at(0).id;
  tell(pool_report{{}, {id}});
  CAF_CHECK(log.settled.empty());
  pass(consumer_state::ack_delay);
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].how == disposition::ack);
  CAF_CHECK(!log.settled[0].result);
  finish(id);
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK(log.settled[1].how == disposition::none);
  CAF_CHECK(log.settled[1].result);
}

CAF_TEST(acks_late is acknowledged with the result alone) {
  start();
  deliver("tasks.late");
  auto id = log.jobs.at(0).id;
  tell(pool_report{{}, {id}});
  pass(1s);
  CAF_CHECK(log.settled.empty());
  finish(id);
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].how == disposition::ack);
}

CAF_TEST(a malformed message is parked and the next one runs) {
  start();
  come(deliveries{{{delivery_tag{"n/i/1"}, queue_name{"celery"}, "rubbish"},
                   make("tasks.add")}});
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].how == disposition::ack);
  CAF_REQUIRE(log.settled[0].dead);
  CAF_CHECK_EQUAL(log.settled[0].dead->payload, "rubbish");
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
}

CAF_TEST(a malformed message with an id has failed) {
  start();
  auto x = make("tasks.add", R"("tomorrow")");
  come(deliveries{{x}});
  CAF_CHECK(log.jobs.empty());
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_REQUIRE(log.settled[0].dead);
  CAF_CHECK_EQUAL(log.settled[0].dead->payload, x.payload);
  CAF_REQUIRE(log.settled[0].result);
  CAF_CHECK_EQUAL(log.settled[0].result->id.str(), "id-" + std::to_string(last));
  CAF_CHECK(log.settled[0].result->document.find("InvalidTaskError")
            != std::string::npos);
}

CAF_TEST(an unknown task fails with NotRegistered) {
  start();
  deliver("tasks.nothing");
  CAF_CHECK(log.jobs.empty());
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_REQUIRE(log.settled[0].result);
  CAF_CHECK(log.settled[0].result->document.find("NotRegistered")
            != std::string::npos);
  CAF_CHECK(log.settled[0].dead);
}

CAF_TEST(an expired task is revoked) {
  start();
  come(deliveries{{make("tasks.add", "null", R"("2001-01-01T00:00:00Z")")}});
  CAF_CHECK(log.jobs.empty());
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_REQUIRE(log.settled[0].result);
  CAF_CHECK(log.settled[0].result->document.find("TaskRevokedError")
            != std::string::npos);
}

CAF_TEST(a task that is due soon is held and does not count in the window) {
  start(window(1, true));
  come(deliveries{{make("tasks.add", due_in(5s))}});
  CAF_CHECK(log.jobs.empty());
  CAF_REQUIRE_EQUAL(log.woken_at.size(), 1u);
  CAF_CHECK_EQUAL(log.credit, 2u);
  // Its time has not come: a timer that fires early changes nothing.
  tell(woken{log.woken_at});
  CAF_CHECK(log.jobs.empty());
  CAF_CHECK_EQUAL(log.woken_at.size(), 2u);
  wall_clock += 5s;
  tell(woken{{log.woken_at[0]}});
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
  CAF_CHECK(log.settled.empty());
}

CAF_TEST(a task that is due later is left to the broker) {
  start(window(1, true));
  come(deliveries{{make("tasks.add", due_in(5'001ms))}});
  CAF_CHECK(log.woken_at.empty());
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  auto& s = log.settled[0];
  CAF_CHECK(s.how == disposition::delay);
  CAF_CHECK(s.due == wall_clock + 5'001ms);
  CAF_CHECK(!s.result);
  CAF_CHECK_EQUAL(log.credit, 2u);
}

CAF_TEST(only so many tasks wait here) {
  consumer_options options;
  options.held_max = 2;
  start(options);
  for (auto i = 0; i < 3; ++i)
    come(deliveries{{make("tasks.add", due_in(1s))}});
  CAF_CHECK_EQUAL(log.woken_at.size(), 2u);
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].how == disposition::delay);
  CAF_CHECK_EQUAL(log.settled[0].tag.str(), "n/i/3");
}

CAF_TEST(a delayed task keeps its priority) {
  start();
  auto x = make("tasks.add", due_in(1h));
  auto at = x.payload.find(R"("priority": 0)");
  x.payload.replace(at, 13, R"("priority": 7)");
  come(deliveries{{x}});
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK_EQUAL(log.settled[0].priority, 7);
}

// -- rate limits ----------------------------------------------------------------

CAF_TEST(a limited task waits for its turn here if that is soon) {
  start(limited(1s));
  deliver("tasks.add", 3);
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
  CAF_REQUIRE_EQUAL(log.woken_at.size(), 2u);
  CAF_CHECK(log.settled.empty());
  CAF_CHECK_EQUAL(log.credit, 8u + 2); // what waits is not in the window
  wall_clock += 1s;
  tell(woken{{log.woken_at[0]}});
  CAF_CHECK_EQUAL(log.jobs.size(), 2u); // it has a turn and asks for no other
  CAF_CHECK_EQUAL(log.woken_at.size(), 2u);
  deliver("tasks.late"); // not limited
  CAF_CHECK_EQUAL(log.jobs.size(), 3u);
}

CAF_TEST(a limited task waits in the broker if its turn is far off) {
  start(limited(10s));
  deliver("tasks.add", 3);
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
  CAF_CHECK(log.woken_at.empty());
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK(log.settled[0].how == disposition::delay);
  CAF_CHECK(log.settled[0].due == wall_clock + 10s);
  CAF_CHECK(log.settled[1].due == wall_clock + 20s);
  // It comes back with a mark, and does not join the end of the line again.
  auto back = make("tasks.add");
  back.payload = log.settled[0].payload.value();
  wall_clock += 10s;
  deliver("tasks.add"); // a newcomer does
  CAF_REQUIRE_EQUAL(log.settled.size(), 3u);
  CAF_CHECK(log.settled[2].due == wall_clock + 20s);
  come(deliveries{{back}});
  CAF_CHECK_EQUAL(log.jobs.size(), 2u);
}

CAF_TEST(a limit by key holds for each value of the header) {
  auto options = limited(1h);
  options.rate_of = [](const task_options&) {
    return task_rate{rate{1h}, rate_scope::worker, "group"};
  };
  start(options);
  auto with = [&](const std::string& group) {
    auto x = make("tasks.add");
    x.payload.replace(x.payload.find(R"("group": null)"), 13,
                      R"("group": ")" + group + '"');
    return x;
  };
  come(deliveries{{with("a"), with("b"), with("a"), make("tasks.add")}});
  CAF_CHECK_EQUAL(log.jobs.size(), 3u);
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK_EQUAL(log.settled[0].tag.str(), "n/i/3");
}

CAF_TEST(a limit of the cluster is asked for and the task held meanwhile) {
  start(limited(1s, rate_scope::cluster));
  deliver("tasks.add", 3);
  CAF_CHECK(log.jobs.empty());
  CAF_REQUIRE_EQUAL(log.questions.size(), 1u);
  auto& ids = log.questions[0].ids;
  CAF_REQUIRE_EQUAL(ids.size(), 3u);
  auto& asked = log.questions[0].requests[0];
  CAF_CHECK_EQUAL(asked.limit, "tasks.add");
  CAF_CHECK(asked.rate.interval == 1s);
  CAF_CHECK(asked.hold == consumer_state::hold_max);
  tell(turns{ids, {{0us, true}, {1s, true}, {20s, false}}});
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
  CAF_CHECK_EQUAL(log.woken_at, std::vector<uint64_t>{ids[1]});
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].due == wall_clock + 20s);
  CAF_CHECK(log.settled[0].payload);
  tell(turns{ids, {{0us, true}, {0us, true}, {0us, true}}}); // late answers
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
}

CAF_TEST(questions that a writer took with it go to the next one) {
  start(limited(1s, rate_scope::cluster));
  deliver("tasks.add", 2);
  log.questions.clear();
  tell(writer_up{other});
  CAF_REQUIRE_EQUAL(log.questions.size(), 1u);
  CAF_CHECK_EQUAL(log.questions[0].ids.size(), 2u);
}

CAF_TEST(draining gives back who asks and who waits for a turn) {
  start(limited(1s, rate_scope::cluster));
  deliver("tasks.add", 2);
  tell(turns{{log.questions.at(0).ids[0]}, {{1s, true}}});
  order(drain{});
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK(log.settled[0].how == disposition::restore);
  CAF_CHECK(log.settled[1].how == disposition::restore);
}

CAF_TEST(annotations outrank options and those the default) {
  settings x;
  task_options task;
  task.name = "t";
  CAF_CHECK(!rate_of(task, x).rate.limits());
  x.task_default_rate_limit = rate_setting{"1/s"};
  CAF_CHECK(rate_of(task, x).rate.interval == 1s);
  task.rate_limit = "2/s";
  task.rate_limit_scope = rate_scope::cluster;
  CAF_CHECK(rate_of(task, x).rate.interval == 500ms);
  x.task_annotations["*"].rate_limit = rate_setting{"4/s"};
  x.task_annotations["*"].rate_limit_key = "k";
  CAF_CHECK(rate_of(task, x).rate.interval == 250ms);
  CAF_CHECK(rate_of(task, x).scope == rate_scope::cluster);
  x.task_annotations["t"].rate_limit = rate_setting{"0"};
  CAF_CHECK(!rate_of(task, x).rate.limits());
  x.task_annotations["t"].rate_limit = rate_setting{"10/s"};
  x.task_annotations["t"].rate_limit_scope = "worker";
  CAF_CHECK(rate_of(task, x).rate.interval == 100ms);
  CAF_CHECK(rate_of(task, x).scope == rate_scope::worker);
  CAF_CHECK_EQUAL(rate_of(task, x).key, "k");
  x.worker_disable_rate_limits = true;
  CAF_CHECK(!rate_of(task, x).rate.limits());
}

CAF_TEST(a task that is given back after its acknowledgement is not lost) {
  start();
  deliver("tasks.add");
  auto id = log.jobs.at(0).id;
  tell(pool_report{{}, {id}});
  pass(consumer_state::ack_delay);
  tell(jobs_returned{{id}});
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK(log.settled[1].how == disposition::none);
  CAF_REQUIRE_EQUAL(log.settled[1].publish.size(), 1u);
  CAF_CHECK_EQUAL(log.settled[1].publish[0].queue.str(), "celery");
  CAF_CHECK_EQUAL(log.settled[1].publish[0].payload, *log.jobs[0].payload);
}

CAF_TEST(a lost child fails the task) {
  start();
  deliver("tasks.late");
  tell(job_lost{log.jobs.at(0).id, "signal 9 (SIGKILL)"});
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_REQUIRE(log.settled[0].result);
  CAF_CHECK(log.settled[0].result->document.find("WorkerLostError")
            != std::string::npos);
}

CAF_TEST(reject_on_worker_lost puts it back) {
  consumer_options options;
  options.acknowledgement.reject_on_worker_lost = true;
  start(options);
  deliver("tasks.late");
  tell(job_lost{log.jobs.at(0).id, "signal 9 (SIGKILL)"});
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].how == disposition::requeue);
  CAF_CHECK(!log.settled[0].result);
}

CAF_TEST(what no settler confirmed goes to the next settler) {
  start();
  deliver("tasks.add", 2);
  finish(log.jobs.at(0).id);
  finish(log.jobs.at(1).id);
  CAF_REQUIRE_EQUAL(log.batches.size(), 2u);
  tell(confirmed{log.batches[0].number});
  seen after;
  auto successor = sys.spawn(recorder, &after);
  tell(settler_up{successor});
  CAF_REQUIRE_EQUAL(after.settled.size(), 1u);
  CAF_CHECK_EQUAL(after.settled[0].result->id.str(), "id-2");
  caf::anon_send_exit(successor, caf::exit_reason::kill);
}

CAF_TEST(batches may be confirmed out of their order) {
  start();
  deliver("tasks.add", 3);
  for (size_t i = 0; i < 3; ++i)
    finish(log.jobs.at(i).id);
  CAF_REQUIRE_EQUAL(log.batches.size(), 3u);
  auto second = log.batches[1].number;
  tell(confirmed{second, second});
  seen after;
  auto successor = sys.spawn(recorder, &after);
  tell(settler_up{successor});
  CAF_REQUIRE_EQUAL(after.settled.size(), 2u);
  CAF_CHECK_EQUAL(after.settled[0].result->id.str(), "id-1");
  CAF_CHECK_EQUAL(after.settled[1].result->id.str(), "id-3");
  caf::anon_send_exit(successor, caf::exit_reason::kill);
}

CAF_TEST(settlements wait while there is no settler) {
  start();
  deliver("tasks.add");
  caf::anon_send_exit(other, caf::exit_reason::kill);
  consume_messages();
  finish(log.jobs.at(0).id);
  CAF_CHECK(log.settled.empty());
  other = sys.spawn(recorder, &log);
  tell(writer_up{other});
  CAF_CHECK(log.settled.empty());
  tell(settler_up{other});
  CAF_CHECK_EQUAL(log.settled.size(), 1u);
}

CAF_TEST(it is ready when it consumes and hears commands) {
  consumer_options options;
  options.has_listener = true;
  auto ready = 0;
  options.on_running = [&] { ++ready; };
  start(std::move(options));
  CAF_CHECK_EQUAL(ready, 0);
  CAF_CHECK(log.credit > 0u); // it need not wait with that
  tell(listener_up{});
  CAF_CHECK_EQUAL(ready, 1);
  tell(listener_up{}); // after a lost connection
  CAF_CHECK_EQUAL(ready, 1);
}

CAF_TEST(a new reader gets the whole credit again) {
  start(window(8));
  deliver("tasks.add", 3);
  log.credit = 0;
  tell(reader_up{other});
  CAF_CHECK_EQUAL(log.credit, 5u);
}

CAF_TEST(what has not begun goes back when deliveries end with the reader) {
  start();
  auto reader = sys.spawn(recorder, &log);
  tell(reader_up{reader, {true, ""}});
  caf::send_as(reader, uut,
               deliveries{{make("tasks.add"), make("tasks.add"),
                           make("tasks.add", due_in(1s))}});
  consume_messages();
  caf::anon_send_exit(reader, caf::exit_reason::kill);
  consume_messages();
  CAF_CHECK_EQUAL(log.taken_back, (std::vector<size_t>{0}));
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u); // the one with an eta
  CAF_CHECK(log.settled[0].how == disposition::restore);
  tell(jobs_returned{{log.jobs.at(1).id}});
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK(log.settled[1].how == disposition::restore);
  finish(log.jobs.at(0).id);
  CAF_CHECK_EQUAL(log.settled.size(), 3u);
}

CAF_TEST(what has not begun goes back when the lease had ended) {
  start();
  come(deliveries{{make("tasks.add"), make("tasks.add"),
                   make("tasks.add", due_in(1s))}});
  tell(lease_lapsed{});
  CAF_CHECK_EQUAL(log.taken_back, (std::vector<size_t>{0}));
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u); // the one with an eta
  CAF_CHECK(log.settled[0].how == disposition::restore);
  tell(jobs_returned{{log.jobs.at(1).id}});
  CAF_CHECK_EQUAL(log.settled.size(), 2u);
  finish(log.jobs.at(0).id); // whether that is its own is up to the broker
  CAF_CHECK_EQUAL(log.settled.size(), 3u);
}

CAF_TEST(the pool is told how long it may begin what waits) {
  start();
  auto until = std::chrono::steady_clock::time_point{} + 5s;
  tell(lease_renewed{until});
  CAF_REQUIRE_EQUAL(log.limits.size(), 1u);
  CAF_CHECK(log.limits[0].time == until);
}

CAF_TEST(nobody is taken for dead right after an outage) {
  start();
  CAF_CHECK_EQUAL(log.recoveries, 1u);
  tell(writer_up{other}); // a new one
  tell(recover_lost{});   // gossip has missed somebody
  CAF_CHECK_EQUAL(log.recoveries, 1u);
  pass(10s);
  tell(recover_lost{});
  CAF_CHECK_GREATER(log.recoveries, 1u);
  auto before = log.recoveries;
  tell(lease_lapsed{});
  tell(recover_lost{});
  CAF_CHECK_EQUAL(log.recoveries, before);
}

CAF_TEST(what others know to be revoked stays as old as it is here) {
  consumer_options options;
  auto known = options.revoked;
  start(options);
  auto then = wall_clock;
  order(revoke_tasks{{task_id{"id-1"}}, std::nullopt});
  wall_clock += 1h;
  tell(learn_revoked{{task_id{"id-1"}, task_id{"id-2"}}});
  auto ids = known->by_age();
  CAF_REQUIRE_EQUAL(ids.size(), 2u);
  CAF_CHECK_EQUAL(ids[0].first, "id-1");
  CAF_CHECK(ids[0].second == then);
  CAF_CHECK(ids[1].second == wall_clock);
}

CAF_TEST(what has not begun stays when deliveries outlive the reader) {
  start();
  auto reader = sys.spawn(recorder, &log);
  tell(reader_up{reader});
  caf::send_as(reader, uut,
               deliveries{{make("tasks.add"), make("tasks.add", due_in(1s))}});
  consume_messages();
  caf::anon_send_exit(reader, caf::exit_reason::kill);
  consume_messages();
  CAF_CHECK(log.taken_back.empty());
  CAF_CHECK(log.settled.empty());
}

CAF_TEST(draining gives back what has not begun and waits for the rest) {
  start();
  deliver("tasks.add", 2);
  come(deliveries{{make("tasks.add", due_in(1s))}});
  order(drain{});
  CAF_CHECK(log.paused);
  CAF_CHECK(log.quiet);
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u); // the one with an eta
  CAF_CHECK(log.settled[0].how == disposition::restore);
  tell(jobs_returned{{log.jobs.at(1).id}});
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  tell(reader_paused{});
  deliver("tasks.add"); // had been on its way
  CAF_REQUIRE_EQUAL(log.settled.size(), 3u);
  CAF_CHECK(log.settled[2].how == disposition::restore);
  CAF_CHECK(!log.released);
  finish(log.jobs.at(0).id);
  CAF_CHECK(!log.released); // not confirmed yet
  confirm_all();
  CAF_CHECK(log.released);
  CAF_CHECK(!log.drained);
  tell(released{});
  CAF_CHECK(log.drained);
}

CAF_TEST(abandoning gives up what runs) {
  start();
  deliver("tasks.late");
  deliver("tasks.add");
  order(abandon{});
  CAF_REQUIRE_EQUAL(log.killed.size(), 2u);
  tell(job_lost{log.killed[0], "signal 9 (SIGKILL)"});
  tell(job_lost{log.killed[1], "signal 9 (SIGKILL)"});
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK(log.settled[0].how == disposition::restore);
  CAF_CHECK(log.settled[1].how == disposition::ack);
  CAF_CHECK(log.settled[1].result);
}

CAF_TEST(surplus goes back when the window has shrunk) {
  start(window(2));
  deliver("tasks.add", 10);
  CAF_CHECK(log.taken_back.empty());
  pass(consumer_state::surplus_delay);
  CAF_CHECK_EQUAL(log.taken_back, std::vector<size_t>{2});
}

CAF_TEST(what has come since the last look is no surplus) {
  start(window(2));
  deliver("tasks.add", 10);
  deliver("tasks.add", 10);
  for (uint64_t job = 1; job <= 10; ++job)
    finish(job);
  pass(consumer_state::surplus_delay);
  CAF_CHECK(log.taken_back.empty());
  pass(consumer_state::surplus_delay);
  CAF_CHECK_EQUAL(log.taken_back, std::vector<size_t>{2});
}

CAF_TEST(the lease is renewed and others are recovered now and then) {
  start();
  CAF_CHECK_EQUAL(log.renewals, 1u);
  pass(3'334ms);
  CAF_CHECK_EQUAL(log.renewals, 2u);
  pass(5s);
  CAF_CHECK_EQUAL(log.recoveries, 2u);
}

CAF_TEST(limits come from the message before the task before the worker) {
  consumer_options options;
  options.limits = {7s, 8s};
  start(options);
  task_options limited;
  limited.name = "tasks.limited";
  limited.soft_time_limit = 3s;
  limited.time_limit = 0s; // says nothing
  tell(pool_ready{{limited}});
  deliver_limited("tasks.add", "[null, null]");
  deliver_limited("tasks.limited", "[null, null]");
  deliver_limited("tasks.limited", "[1.5, 0]");
  deliver_limited("tasks.add", "[null, 2]");
  CAF_REQUIRE_EQUAL(log.jobs.size(), 4u);
  CAF_CHECK(log.jobs[0].limits == (time_limits{7s, 8s}));
  CAF_CHECK(log.jobs[1].limits == (time_limits{3s, 8s}));
  CAF_CHECK(log.jobs[2].limits == (time_limits{3s, 1500ms}));
  CAF_CHECK(log.jobs[3].limits == (time_limits{2s, 8s}));
}

CAF_TEST(a limit that is none goes to the dead letters) {
  start();
  for (auto limit : {R"(["1", null])", "[-1, null]", "[null, NaN]", "[1]",
                     "5", "[true, null]"})
    deliver_limited("tasks.add", limit);
  CAF_CHECK(log.jobs.empty());
  CAF_REQUIRE_EQUAL(log.settled.size(), 6u);
  for (auto& x : log.settled)
    CAF_CHECK(x.dead);
}

CAF_TEST(a run that is killed at its hard limit fails with that limit) {
  start();
  deliver("tasks.late", 2);
  auto first = log.jobs.at(0).id;
  tell(time_limit_over{first, false, 500ms});
  CAF_CHECK(log.settled.empty());
  tell(time_limit_over{first, true, 1500ms});
  CAF_CHECK(log.settled.empty()); // its child is still there
  tell(job_lost{first, "signal 9 (SIGKILL)"});
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].how == disposition::ack);
  CAF_REQUIRE(log.settled[0].result);
  auto& document = log.settled[0].result->document;
  CAF_CHECK(document.find(R"("exc_type": "TimeLimitExceeded")")
            != std::string::npos);
  CAF_CHECK(document.find(R"("exc_message": [1.5])") != std::string::npos);
  // What ended in time after all counts as ended.
  tell(time_limit_over{log.jobs[1].id, true, 1500ms});
  finish(log.jobs[1].id);
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK(log.settled[1].result->document.find("SUCCESS")
            != std::string::npos);
}

CAF_TEST(a run over its limit goes back where failures are not acknowledged) {
  consumer_options options;
  options.acknowledgement.acks_on_failure_or_timeout = false;
  start(options);
  for (auto task : {"tasks.late", "tasks.add"}) {
    deliver(task);
    auto id = log.jobs.back().id;
    tell(pool_report{{}, {id}});
    pass(consumer_state::ack_delay);
    tell(time_limit_over{id, true, 1s});
    tell(job_lost{id, "signal 9 (SIGKILL)"});
  }
  CAF_REQUIRE_EQUAL(log.settled.size(), 3u);
  CAF_CHECK(log.settled[0].how == disposition::requeue);
  CAF_CHECK(!log.settled[0].result);
  // Acknowledged early, it cannot go back.
  CAF_CHECK(log.settled[2].how == disposition::none);
  CAF_CHECK(log.settled[2].result);
}

CAF_TEST(a task that was revoked before it came is refused) {
  start();
  order(revoke_tasks{{task_id{"id-1"}, task_id{"id-9"}}, std::nullopt});
  CAF_REQUIRE_EQUAL(log.answers.size(), 1u);
  CAF_CHECK_EQUAL(log.answers[0].ids.size(), 2u);
  CAF_CHECK(log.answers[0].terminated.empty());
  deliver("tasks.late", 2);
  CAF_REQUIRE_EQUAL(log.jobs.size(), 1u);
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].how == disposition::ack);
  CAF_REQUIRE(log.settled[0].result);
  auto& document = log.settled[0].result->document;
  CAF_CHECK_EQUAL(log.settled[0].result->id.str(), "id-1");
  CAF_CHECK(document.find(R"("status": "REVOKED")") != std::string::npos);
  CAF_CHECK(document.find(R"("exc_type": "TaskRevokedError")")
            != std::string::npos);
  CAF_CHECK(document.find(R"(["revoked"])") != std::string::npos);
}

CAF_TEST(a revoked task that waits for its time is refused at once) {
  start();
  come(deliveries{{make("tasks.add", due_in(1s))}});
  CAF_CHECK(log.settled.empty());
  order(revoke_tasks{{task_id{"id-1"}}, std::nullopt});
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].result);
  tell(woken{log.woken_at});
  CAF_CHECK(log.jobs.empty());
  CAF_CHECK_EQUAL(log.settled.size(), 1u);
}

CAF_TEST(tasks are revoked by their stamps) {
  start();
  auto stamped = [&](const char* value, const std::string& eta = "null") {
    auto x = make("tasks.late", eta);
    auto stamps = fmt::format(R"("stamped_headers": ["order"], )"
                              R"("stamps": {{"order": ["{}"]}}, "lang")",
                              value);
    x.payload.replace(x.payload.find(R"("lang")"), 6, stamps);
    return x;
  };
  task_id order_17{"stamp:order=17"};
  come(deliveries{{stamped("17"), stamped("17", due_in(1s)), stamped("18")}});
  CAF_REQUIRE_EQUAL(log.jobs.size(), 2u);
  order(revoke_tasks{{order_17, task_id{"stamp:order=19"}}, 15});
  // What waited here is refused, what the pool has is ended.
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK_EQUAL(log.settled[0].result->id.str(), "id-2");
  CAF_REQUIRE_EQUAL(log.withdrawn.size(), 1u);
  CAF_CHECK_EQUAL(log.withdrawn[0].jobs, std::vector{log.jobs[0].id});
  CAF_REQUIRE_EQUAL(log.answers.size(), 1u);
  CAF_CHECK_EQUAL(log.answers[0].terminated, std::vector{order_17});
  // What comes later is refused as well.
  come(deliveries{{stamped("17"), stamped("18")}});
  CAF_CHECK_EQUAL(log.jobs.size(), 3u);
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK_EQUAL(log.settled[1].result->id.str(), "id-4");
}

CAF_TEST(a revoked task in the pool is withdrawn and then refused) {
  start();
  deliver("tasks.add", 2);
  order(revoke_tasks{{task_id{"id-2"}}, std::nullopt});
  CAF_REQUIRE_EQUAL(log.withdrawn.size(), 1u);
  CAF_CHECK_EQUAL(log.withdrawn[0].jobs, std::vector{log.jobs.at(1).id});
  CAF_CHECK(!log.withdrawn[0].signal);
  CAF_CHECK(log.settled.empty());
  tell(jobs_returned{{log.jobs[1].id}});
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].how == disposition::ack);
  CAF_REQUIRE(log.settled[0].result);
}

CAF_TEST(what takes the place of withdrawn tasks is fetched at once) {
  start(window(2, true));
  deliver("tasks.add", 2);
  CAF_REQUIRE_EQUAL(log.credit, 2u);
  order(revoke_tasks{{task_id{"id-1"}, task_id{"id-2"}}, std::nullopt});
  tell(jobs_returned{{log.jobs.at(1).id, log.jobs.at(0).id}});
  CAF_CHECK_EQUAL(log.credit, 4u);
}

CAF_TEST(a task that runs when it is revoked goes on) {
  start();
  deliver("tasks.add");
  order(revoke_tasks{{task_id{"id-1"}}, std::nullopt});
  finish(log.jobs.at(0).id);
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].result->document.find("SUCCESS")
            != std::string::npos);
}

CAF_TEST(a task that is terminated is revoked whatever the signal did) {
  start();
  deliver("tasks.late", 3);
  order(revoke_tasks{{task_id{"id-1"}, task_id{"id-2"}, task_id{"id-3"}}, 15});
  CAF_REQUIRE_EQUAL(log.answers.size(), 1u);
  CAF_CHECK_EQUAL(log.answers[0].terminated.size(), 3u);
  CAF_REQUIRE_EQUAL(log.withdrawn.size(), 1u);
  CAF_CHECK_EQUAL(log.withdrawn[0].jobs.size(), 3u);
  CAF_CHECK(log.withdrawn[0].signal == 15);
  tell(job_lost{log.jobs.at(0).id, "signal 15 (SIGTERM)"});
  finish(log.jobs.at(1).id, outcome_kind::failure);
  finish(log.jobs.at(2).id); // it had ended already
  CAF_REQUIRE_EQUAL(log.settled.size(), 3u);
  for (size_t i : {0, 1}) {
    CAF_CHECK(log.settled[i].how == disposition::ack);
    CAF_CHECK(log.settled[i].result->document.find(R"(["terminated"])")
              != std::string::npos);
  }
  CAF_CHECK(log.settled[2].result->document.find("SUCCESS")
            != std::string::npos);
}

CAF_TEST(revocations outlive the consumer) {
  consumer_options options;
  auto known = options.revoked;
  start(options);
  order(revoke_tasks{{task_id{"id-1"}}, std::nullopt});
  caf::anon_send_exit(uut, caf::exit_reason::kill);
  consume_messages();
  options.revoked = known;
  start(options);
  deliver("tasks.add");
  CAF_CHECK(log.jobs.empty());
}

CAF_TEST(the answer waits for the disk) {
  consumer_options options;
  caf::response_promise pending;
  tasks_revoked to_save;
  options.state_keeper = sys.spawn([&](caf::event_based_actor* self)
                                     -> caf::behavior {
    return {
      [&, self](tasks_revoked& x) {
        to_save = std::move(x);
        pending = self->make_response_promise();
      },
      [&](caf::ok_atom) { pending.deliver(to_save); },
    };
  });
  start(options);
  order(revoke_tasks{{task_id{"id-1"}}, std::nullopt});
  CAF_CHECK_EQUAL(to_save.ids.size(), 1u);
  CAF_CHECK(log.answers.empty());
  deliver("tasks.add"); // refused from the first moment
  CAF_CHECK(log.jobs.empty());
  caf::anon_send(options.state_keeper, caf::ok_atom::value);
  consume_messages();
  CAF_CHECK_EQUAL(log.answers.size(), 1u);
  caf::anon_send_exit(options.state_keeper, caf::exit_reason::kill);
  consume_messages();
}

CAF_TEST_FIXTURE_SCOPE_END()
