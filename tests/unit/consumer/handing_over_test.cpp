#define CAF_SUITE handing_over

#include "actors/consumer/publisher.hpp"

#include "tests/unit/dsl.hpp"

#include "actors/consumer/writer.hpp"

using namespace umbel;

namespace {

struct seen {
  std::vector<uint64_t> confirmed; ///< batches, one by one or the last of several
  std::vector<std::vector<settlement>> handed_over;
  size_t events = 0;
  size_t answers = 0;
};

/// Stands for the consumer, and for the publisher, which takes its time.
caf::behavior recorder(caf::event_based_actor*, seen* log) {
  return {
    [](const writer_up&) {},
    [](const settler_up&) {},
    [](lease_renewed) {},
    [=](const confirmed& x) { log->confirmed.push_back(x.number); },
    [=](const settle_elsewhere& x) { log->handed_over.push_back(*x.batch); },
    [=](const publish_message&) { ++log->answers; },
    [=](const publish_events&) { ++log->events; },
    [](look_after) {},
  };
}

settlement end(const std::string& tag) {
  settlement result;
  result.tag = delivery_tag{tag};
  return result;
}

settlement retry(const std::string& tag) {
  auto result = end(tag);
  result.publish.push_back({queue_name{"q"}, 0, "again"});
  return result;
}

struct fixture : test_coordinator_fixture<> {
  seen log;
  caf::actor other;
  caf::actor uut;

  fixture() {
    auto life = std::make_shared<incarnation>();
    life->broker_url = life->result_url = "memory://handing-over";
    life->options.node = node_name{"celery@test"};
    life->options.incarnation = "1";
    other = sys.spawn(recorder, &log);
    uut = sys.spawn(writer, life, other, other);
    consume_messages();
  }

  ~fixture() {
    for (auto& hdl : {uut, other})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }

  void settle(uint64_t number, std::vector<settlement> batch) {
    caf::anon_send(uut, settle_batch{number,
                                     std::make_shared<std::vector<settlement>>(
                                       std::move(batch))});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(handing_over_tests, fixture)

CAF_TEST(what only ends is confirmed while something waits to be published) {
  settle(1, {end("a")});
  settle(2, {end("b"), retry("c")});
  settle(3, {end("d")});
  consume_messages();
  CAF_REQUIRE_EQUAL(log.handed_over.size(), 1u);
  CAF_REQUIRE_EQUAL(log.handed_over[0].size(), 1u);
  CAF_CHECK_EQUAL(log.handed_over[0][0].tag.str(), "c");
  CAF_CHECK_EQUAL(log.confirmed, (std::vector<uint64_t>{1, 3}));
  settle(4, {end("e")});
  settle(5, {retry("f")});
  consume_messages();
  CAF_CHECK_EQUAL(log.confirmed, (std::vector<uint64_t>{1, 3, 4}));
  caf::anon_send(uut, settled_elsewhere{{true}});
  consume_messages();
  CAF_CHECK_EQUAL(log.confirmed, (std::vector<uint64_t>{1, 3, 4, 2}));
  caf::anon_send(uut, settled_elsewhere{{true}});
  settle(6, {end("g")});
  consume_messages();
  CAF_CHECK_EQUAL(log.confirmed, (std::vector<uint64_t>{1, 3, 4, 2, 5, 6}));
}

CAF_TEST(what it is to publish itself it leaves to the publisher) {
  caf::anon_send(uut, publish_message{"", "mailbox", "pong", 0});
  caf::send_as(other, uut, publish_events{{{"celeryev", "task.multi", "[]", 0}}});
  consume_messages();
  CAF_CHECK_EQUAL(log.answers, 1u);
  CAF_CHECK_EQUAL(log.events, 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
