#define CAF_SUITE giving_up

#include "actors/consumer/consumer.hpp"

#include "tests/unit/dsl.hpp"

#include <fmt/format.h>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct seen {
  std::vector<job> jobs;
  std::vector<settlement> settled;
  std::vector<uint64_t> woken_at;
  uint64_t last_batch = 0;
};

/// Stands for pool, timer, reader and writer at once, and only writes down.
caf::behavior recorder(caf::event_based_actor*, seen* log) {
  return {
    [](const attach_consumer&) {},
    [](credit) {},
    [](const renew_lease&) {},
    [](recover_lost) {},
    [](quiet) {},
    [](pause_reader) {},
    [=](const run_jobs& x) {
      log->jobs.insert(log->jobs.end(), x.jobs.begin(), x.jobs.end());
    },
    [=](const wake_at& x) { log->woken_at.push_back(x.id); },
    [=](const settle_batch& x) {
      log->settled.insert(log->settled.end(), x.settlements->begin(),
                          x.settlements->end());
      log->last_batch = x.number;
    },
  };
}

/// A message that was begun so often; 0: it comes for the first time.
std::string payload(const std::string& id, size_t begun) {
  auto text = fmt::format(
    R"({{"body": "W1tdLCB7fSwge31d", "content-encoding": "utf-8", )"
    R"("content-type": "application/json", "headers": {{"lang": "py", )"
    R"("task": "tasks.late", "id": "{}"}}, "properties": {{)"
    R"("body_encoding": "base64"}}}})",
    id);
  if (begun == 0)
    return text;
  delivery_history history;
  for (size_t i = 1; i < begun; ++i)
    history.add({timestamp{}, "w@h", ""});
  history.count = begun;
  return mark_redelivered(with_history(text, history).value()).value();
}

struct fixture : test_coordinator_fixture<> {
  seen log;
  caf::actor other;
  caf::actor uut;
  uint64_t last = 0;
  timestamp wall_clock = timestamp{} + 500'000h;

  ~fixture() {
    for (auto& hdl : {uut, other})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }

  void start(size_t max_deliveries, bool late = true) {
    consumer_options options;
    options.now = [this] { return wall_clock; };
    options.max_deliveries = max_deliveries;
    options.acknowledgement.reject_on_worker_lost = true;
    options.node = node_name{"me@h"};
    other = sys.spawn(recorder, &log);
    uut = sys.spawn(consumer, std::move(options), other, other);
    task_options task;
    task.name = "tasks.late";
    task.acks_late = late;
    tell(pool_ready{{task}});
    tell(writer_up{other});
    tell(settler_up{other});
    tell(reader_up{other});
  }

  template <class T>
  void tell(T x) {
    caf::anon_send(uut, std::move(x));
    consume_messages();
  }

  void come(size_t begun, size_t n = 1) {
    deliveries x;
    for (size_t i = 0; i < n; ++i) {
      auto id = std::to_string(++last);
      x.batch.push_back({delivery_tag{"n/i/" + id}, queue_name{"celery"},
                         payload("id-" + id, begun)});
    }
    caf::send_as(other, uut, std::move(x));
    consume_messages();
  }

  void confirm() {
    tell(confirmed{log.last_batch});
  }

  void lose(size_t i) {
    tell(job_lost{log.jobs.at(i).id, "signal 9 (SIGKILL)"});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(giving_up_tests, fixture)

CAF_TEST(a first delivery is not noted) {
  start(3);
  come(0);
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
  CAF_CHECK(log.settled.empty());
}

CAF_TEST(a second one runs when its note is confirmed) {
  start(5);
  come(1);
  CAF_CHECK(log.jobs.empty());
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  auto& note = log.settled[0];
  CAF_CHECK(note.how == disposition::none && !note.result && !note.dead);
  auto history = read_history(note.payload.value());
  CAF_CHECK_EQUAL(history.count, 2u);
  CAF_CHECK_EQUAL(history.notes.back().node, "me@h");
  confirm();
  CAF_REQUIRE_EQUAL(log.jobs.size(), 1u);
  CAF_CHECK_EQUAL(read_history(*log.jobs[0].payload).notes.size(), 0u);
}

CAF_TEST(what is acknowledged early cannot come back and is not noted) {
  start(5, false);
  come(1);
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
  CAF_CHECK(log.settled.empty());
}

CAF_TEST(a lost child is a note in the message that goes back) {
  start(3);
  come(0);
  lose(0);
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].how == disposition::requeue);
  auto history = read_history(log.settled[0].payload.value());
  CAF_CHECK_EQUAL(history.count, 1u);
  CAF_CHECK_EQUAL(history.notes.at(0).end, "signal 9 (SIGKILL)");
}

CAF_TEST(the last run that is lost is a failure and a dead letter) {
  start(3);
  come(2);
  confirm();
  lose(0);
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  auto& end = log.settled[1];
  CAF_CHECK(end.how == disposition::ack);
  CAF_REQUIRE(end.result);
  CAF_CHECK(end.result->document.find("FAILURE") != std::string::npos);
  CAF_REQUIRE(end.dead);
  CAF_CHECK_EQUAL(end.dead->reason, "begun 3 times without an end; the last "
                                    "time: signal 9 (SIGKILL)");
  CAF_CHECK_EQUAL(read_history(end.dead->payload).count, 3u);
}

CAF_TEST(what was begun too often by workers that died is not begun again) {
  start(3);
  come(3);
  CAF_CHECK(log.jobs.empty());
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  auto& end = log.settled[0];
  CAF_CHECK(end.how == disposition::ack);
  CAF_REQUIRE(end.result && end.dead);
  CAF_CHECK_EQUAL(end.dead->reason, "begun 3 times without an end; its last "
                                    "worker was w@h");
}

CAF_TEST(without a limit nothing is noted or given up) {
  start(0);
  come(1'000);
  CAF_REQUIRE_EQUAL(log.jobs.size(), 1u);
  lose(0);
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].how == disposition::requeue);
}

CAF_TEST(of those that have one chance left one runs at a time) {
  start(4);
  come(3, 3);
  confirm();
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
  CAF_CHECK_EQUAL(log.woken_at.size(), 2u);
  come(2); // has two left
  confirm();
  CAF_CHECK_EQUAL(log.jobs.size(), 2u);
  wall_clock += 2s;
  tell(woken{log.woken_at}); // it still runs
  CAF_CHECK_EQUAL(log.jobs.size(), 2u);
  outcome done;
  done.job = log.jobs[0].id;
  tell(pool_report{{done}, {}});
  wall_clock += 2s;
  tell(woken{{log.woken_at.at(0), log.woken_at.at(1)}});
  confirm();
  CAF_CHECK_EQUAL(log.jobs.size(), 3u);
}

CAF_TEST(what did not begin loses its note) {
  start(5);
  come(2);
  confirm();
  tell(jobs_returned{{log.jobs.at(0).id}});
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK(log.settled[1].how == disposition::restore);
  CAF_CHECK_EQUAL(read_history(log.settled[1].payload.value()).count, 2u);
}

CAF_TEST(a task that puts itself back is not counted) {
  start(5);
  come(2);
  confirm();
  outcome x;
  x.job = log.jobs.at(0).id;
  x.kind = outcome_kind::requeue;
  tell(pool_report{{x}, {}});
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK_EQUAL(read_history(log.settled[1].payload.value()).count, 2u);
}

CAF_TEST(what waits for its note goes back when the worker ends) {
  start(5);
  come(2);
  caf::send_as(other, uut, drain{});
  consume_messages();
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK(log.settled[1].how == disposition::restore);
  confirm();
  CAF_CHECK(log.jobs.empty());
}

CAF_TEST(what waits for its note can be revoked) {
  start(5);
  come(2);
  tell(revoke_tasks{{task_id{"id-1"}}, std::nullopt});
  CAF_REQUIRE_EQUAL(log.settled.size(), 2u);
  CAF_CHECK(log.settled[1].result->document.find("REVOKED")
            != std::string::npos);
  confirm();
  CAF_CHECK(log.jobs.empty());
}

CAF_TEST(dead letters are counted by queue) {
  start(3);
  come(3, 2);
  auto counts = deref<caf::stateful_actor<consumer_state>>(uut)
                  .state.runs_now()
                  .dead;
  CAF_CHECK_EQUAL(counts["celery"], 2u);
}

CAF_TEST_FIXTURE_SCOPE_END()
