// Unique tasks: keys that are asked for, refused, given back.
#define CAF_SUITE unique_tasks

#include "actors/consumer/consumer.hpp"

#include "tests/unit/dsl.hpp"

#include "protocol/message/task_message.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct seen {
  std::vector<job> jobs;
  std::vector<settlement> settled;
  std::vector<claim_keys> claims;
  std::vector<uint64_t> woken_at;
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
    [](release_lease) {},
    [](drained) {},
    [=](const run_jobs& x) {
      log->jobs.insert(log->jobs.end(), x.jobs.begin(), x.jobs.end());
    },
    [=](const wake_at& x) { log->woken_at.push_back(x.id); },
    [=](const claim_keys& x) { log->claims.push_back(x); },
    [=](const settle_batch& x) {
      log->settled.insert(log->settled.end(), x.settlements->begin(),
                          x.settlements->end());
    },
  };
}

struct fixture : test_coordinator_fixture<> {
  seen log;
  caf::actor other;
  caf::actor uut;
  timestamp wall_clock = timestamp{} + 500'000h;

  ~fixture() {
    for (auto& hdl : {uut, other})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }

  void start(bool late = true, bool keeps_keys = true) {
    consumer_options options;
    options.now = [this] { return wall_clock; };
    options.keeps_unique_keys = keeps_keys;
    other = sys.spawn(recorder, &log);
    uut = sys.spawn(consumer, std::move(options), other, other);
    task_options task;
    task.name = "t";
    task.acks_late = late;
    tell(pool_ready{{task}});
    tell(writer_up{other});
    tell(settler_up{other});
    tell(reader_up{other});
  }

  template <class T>
  void tell(T x) {
    caf::send_as(other, uut, std::move(x));
    consume_messages();
  }

  void come(task_call x) {
    x.task = "t";
    tell(deliveries{{{delivery_tag{"n/i/" + x.id}, queue_name{"q"},
                      make_task_message(x)}}});
  }

  static task_call unique(const std::string& id, json::object more = {}) {
    task_call x;
    x.id = id;
    x.headers = std::move(more);
    x.headers["unique_key"] = "k";
    return x;
  }

  /// Says whose the key is that was asked for last.
  void answer(const std::string& holder) {
    auto& ids = log.claims.back().ids;
    tell(key_holders{ids, std::vector<std::string>(ids.size(), holder)});
  }

  void finish(outcome_kind kind = outcome_kind::success) {
    outcome x;
    x.job = log.jobs.back().id;
    x.kind = kind;
    tell(pool_report{{x}, {}});
  }

  std::string released(const settlement& x) const {
    return x.release ? x.release->key + " of " + x.release->id : "";
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(unique_tasks_tests, fixture)

CAF_TEST(a unique task has its key before it begins and gives it back at its end) {
  start();
  come(unique("1", {{"unique_for", 60}}));
  CAF_CHECK(log.jobs.empty());
  CAF_REQUIRE_EQUAL(log.claims.size(), 1u);
  auto& claim = log.claims[0].claims.at(0);
  CAF_CHECK_EQUAL(claim.wanted.key, "t/k");
  CAF_CHECK_EQUAL(claim.wanted.id, "1");
  CAF_CHECK(claim.held_for == 60s);
  answer("1");
  CAF_REQUIRE_EQUAL(log.jobs.size(), 1u);
  finish();
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK_EQUAL(released(log.settled[0]), "t/k of 1");
}

CAF_TEST(a second one is acknowledged and its result says why) {
  start();
  come(unique("2"));
  answer("1");
  CAF_CHECK(log.jobs.empty());
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  auto& end = log.settled[0];
  CAF_CHECK(end.how == disposition::ack);
  CAF_REQUIRE(end.result);
  CAF_CHECK(end.result->document.find("REVOKED") != std::string::npos);
  CAF_CHECK(end.result->document.find("task 1 has the unique key 't/k' already")
            != std::string::npos);
}

CAF_TEST(a retry is finished whoever has the key and does not give it back) {
  start();
  auto again = unique("2");
  again.retries = 1;
  come(again);
  answer("1");
  CAF_REQUIRE_EQUAL(log.jobs.size(), 1u);
  finish();
  CAF_CHECK_EQUAL(released(log.settled.at(0)), "");
}

CAF_TEST(a task that will run again keeps its key) {
  start();
  come(unique("1"));
  answer("1");
  finish(outcome_kind::retry);
  CAF_CHECK_EQUAL(released(log.settled.at(0)), "");
  come(unique("1"));
  answer("1");
  finish(outcome_kind::requeue);
  CAF_CHECK_EQUAL(released(log.settled.at(1)), "");
}

CAF_TEST(until the start means until the start) {
  for (auto late : {true, false}) {
    log = {};
    start(late);
    come(unique("1", {{"unique_until", "start"}}));
    answer("1");
    tell(pool_report{{}, {log.jobs.at(0).id}});
    advance_time(consumer_state::ack_delay);
    consume_messages();
    CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
    CAF_CHECK(log.settled[0].how
              == (late ? disposition::none : disposition::ack));
    CAF_CHECK_EQUAL(released(log.settled[0]), "t/k of 1");
    finish(outcome_kind::retry);
    CAF_CHECK_EQUAL(released(log.settled.at(1)), "");
    for (auto& hdl : {uut, other})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }
}

CAF_TEST(one that has to wait holds its key meanwhile) {
  start();
  auto later = unique("1");
  later.eta = wall_clock + 2s;
  come(later);
  answer("1");
  CAF_CHECK(log.jobs.empty());
  CAF_CHECK_EQUAL(log.woken_at.size(), 1u);
  wall_clock += 2s;
  tell(woken{log.woken_at});
  CAF_CHECK_EQUAL(log.jobs.size(), 1u); // it is not asked again
  CAF_CHECK_EQUAL(log.claims.size(), 1u);
}

CAF_TEST(what expires gives back what its publisher has taken) {
  start();
  auto late = unique("1");
  late.expires = wall_clock - 1s;
  come(late);
  CAF_CHECK(log.claims.empty());
  CAF_CHECK_EQUAL(released(log.settled.at(0)), "t/k of 1");
}

CAF_TEST(the next writer is asked again) {
  start();
  come(unique("1"));
  tell(writer_up{other});
  CAF_REQUIRE_EQUAL(log.claims.size(), 2u);
  answer("1");
  answer("1"); // of both
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
}

CAF_TEST(where no keys are kept nobody is asked) {
  start(true, false);
  come(unique("1"));
  CAF_CHECK(log.claims.empty());
  CAF_CHECK_EQUAL(log.jobs.size(), 1u);
  finish();
  CAF_CHECK(!log.settled.at(0).release);
}

CAF_TEST(a drained worker puts back what waits for its key) {
  start();
  come(unique("1"));
  tell(drain{});
  CAF_REQUIRE_EQUAL(log.settled.size(), 1u);
  CAF_CHECK(log.settled[0].how == disposition::restore);
  CAF_CHECK(!log.settled[0].release);
}

CAF_TEST_FIXTURE_SCOPE_END()
