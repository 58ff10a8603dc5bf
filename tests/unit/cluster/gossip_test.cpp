#define CAF_SUITE gossip

#include "actors/cluster/gossip.hpp"

#include "actors/consumer/messages.hpp"
#include "protocol/message/task_message.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

using kind = worker_event::kind;

struct seen {
  std::vector<std::string> emitted;
  std::vector<outgoing_message> published;
  size_t looks = 0; ///< at what dead nodes left
};

caf::behavior everybody(caf::event_based_actor*, seen* log) {
  return {
    [=](const emit_event& x) { log->emitted.push_back(x.type); },
    [=](const publish_tasks& x) { log->published = x.messages; },
    [=](recover_lost) { ++log->looks; },
  };
}

struct fixture : test_coordinator_fixture<> {
  seen log;
  caf::actor other;
  caf::actor uut;
  gossip_options options;

  fixture() {
    options.node = node_name{"a@h"};
    options.pid = 7;
    options.lease = 10s;
    other = sys.spawn(everybody, &log);
    uut = sys.spawn(gossip, options, other, other, other);
    consume_messages();
  }

  ~fixture() {
    for (auto& hdl : {uut, other})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }

  void hear(kind what, const char* who, uint64_t clock = 0, int64_t pid = 1) {
    worker_event x;
    x.what = what;
    x.hostname = who;
    x.pid = pid;
    x.clock = clock;
    x.id = "x";
    x.topic = "task";
    x.action = json::object{{"task", "tasks.add"}};
    caf::anon_send(uut, worker_heard{std::move(x)});
    consume_messages();
  }

  void begin() {
    caf::anon_send(uut, begin_election{"x", "task", {}});
    consume_messages();
  }

  /// Second by second, as time passes for a process that runs.
  void pass(std::chrono::seconds x) {
    for (; x.count() > 0; --x) {
      advance_time(1s);
      consume_messages();
    }
  }

  gossip_state& state() {
    return deref<caf::stateful_actor<gossip_state>>(uut).state;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(gossip_tests, fixture)

CAF_TEST(every event moves the clock and none of its own the membership) {
  hear(kind::heartbeat, "b@h", 40);
  hear(kind::heartbeat, "a@h", 50, 7);
  CAF_CHECK_GREATER(options.clock->value(), 50u);
  CAF_CHECK_EQUAL(state().members.size(), 1u);
}

CAF_TEST(what a lost node left is looked for until its lease must have ended) {
  hear(kind::heartbeat, "b@h");
  pass(3s);
  CAF_CHECK_EQUAL(log.looks, 0u);
  pass(2s);
  CAF_CHECK_EQUAL(state().members.size(), 0u);
  CAF_CHECK_GREATER(log.looks, 0u);
  pass(11s);
  auto looks = log.looks;
  CAF_CHECK_GREATER_OR_EQUAL(looks, 11u);
  pass(20s);
  CAF_CHECK_LESS_OR_EQUAL(log.looks, looks + 1);
}

CAF_TEST(who leaves in order leaves nothing) {
  hear(kind::heartbeat, "b@h");
  hear(kind::offline, "b@h");
  pass(20s);
  CAF_CHECK_EQUAL(log.looks, 0u);
}

CAF_TEST(a node that comes back as another process was lost) {
  hear(kind::heartbeat, "b@h", 0, 1);
  hear(kind::online, "b@h", 0, 2);
  pass(2s);
  CAF_CHECK_GREATER(log.looks, 0u);
}

CAF_TEST(a pause of this node loses nobody) {
  hear(kind::heartbeat, "b@h");
  pass(1s);
  advance_time(60s);
  consume_messages();
  CAF_CHECK_EQUAL(state().members.size(), 1u);
  CAF_CHECK_EQUAL(log.looks, 0u);
}

CAF_TEST(alone it wins and sends the task) {
  begin();
  CAF_REQUIRE_EQUAL(log.emitted.size(), 1u);
  CAF_CHECK_EQUAL(log.emitted[0], "worker-elect");
  hear(kind::elect, "a@h", 5, 7);
  CAF_REQUIRE_EQUAL(log.emitted.size(), 2u);
  CAF_CHECK_EQUAL(log.emitted[1], "worker-elect-ack");
  hear(kind::elect_ack, "a@h", 6, 7);
  CAF_REQUIRE_EQUAL(log.published.size(), 1u);
  CAF_CHECK_EQUAL(log.published[0].exchange, "");
  CAF_CHECK_EQUAL(log.published[0].queue.str(), "celery");
  auto header = read_task_header(log.published[0].payload);
  CAF_REQUIRE(header);
  CAF_CHECK_EQUAL(header->task, "tasks.add");
}

CAF_TEST(it acknowledges when all candidates are known) {
  hear(kind::heartbeat, "b@h");
  begin();
  hear(kind::elect, "b@h", 4);
  CAF_CHECK_EQUAL(log.emitted.size(), 1u);
  hear(kind::elect, "a@h", 5, 7);
  CAF_CHECK_EQUAL(log.emitted.size(), 3u); // one for each
  hear(kind::elect_ack, "b@h", 6);
  CAF_CHECK(log.published.empty()); // b has won
  CAF_CHECK_EQUAL(state().votes.open(), 0u);
}

CAF_TEST(it waits a second for candidates that do not come) {
  hear(kind::heartbeat, "b@h");
  begin();
  hear(kind::elect, "a@h", 5, 7);
  CAF_CHECK_EQUAL(log.emitted.size(), 1u);
  pass(2s);
  CAF_CHECK_EQUAL(log.emitted.size(), 2u);
  hear(kind::elect_ack, "a@h", 6, 7);
  CAF_CHECK_EQUAL(log.published.size(), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
