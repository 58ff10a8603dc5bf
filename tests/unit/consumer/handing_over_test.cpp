#define CAF_SUITE handing_over

#include "actors/consumer/publisher.hpp"

#include "tests/unit/dsl.hpp"

#include "actors/consumer/writer.hpp"
#include "protocol/backend/memory/disabled_result_store.hpp"
#include "protocol/backend/workflow_store.hpp"
#include "tests/unit/broker/wrapped_broker.hpp"

#include <set>

using namespace umbel;

namespace {

struct seen {
  std::vector<uint64_t> confirmed; ///< batches, one by one or the last of several
  std::vector<std::vector<settlement>> handed_over;
  std::vector<std::vector<bool>> effects; ///< of what the publisher has settled
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
    [=](const settled_elsewhere& x) { log->effects.push_back(x.effects); },
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

/// Of a chord's last part: the body follows until it is known to be published.
class chord_store : public disabled_result_store, public workflow_store {
public:
  expected<std::vector<std::optional<std::string>>>
  fetch_all(std::span<const task_id> ids) override {
    return std::vector<std::optional<std::string>>(ids.size());
  }

  expected<std::optional<std::string>>
  fetch_group(const std::string&) override {
    return std::optional<std::string>{};
  }

  expected<void> forget_group(const std::string&) override {
    return {};
  }

  expected<std::vector<std::vector<gapped_message>>>
  count(std::span<const group_record>,
        std::span<const chord_part> parts) override {
    std::vector<std::vector<gapped_message>> result(parts.size());
    for (size_t i = 0; i < parts.size(); ++i)
      if (!finished_.contains(parts[i].group))
        result[i] = {{queue_name{"q"}, 0, {"body"}}};
    return result;
  }

  expected<void> finish(std::span<const chord_part> parts) override {
    for (auto& x : parts)
      finished_.insert(x.group);
    return {};
  }

private:
  std::set<std::string> finished_;
};

/// Counts how often it is told to settle.
class counting_broker : public test::wrapped_broker {
public:
  counting_broker(std::unique_ptr<broker> inner, size_t* settles)
      : wrapped_broker(std::move(inner)), settles_(settles) {
    // nop
  }

  expected<std::vector<bool>>
  settle(std::span<const settlement> batch) override {
    ++*settles_;
    return wrapped_broker::settle(batch);
  }

private:
  size_t* settles_;
};

settlement retry(const std::string& tag) {
  auto result = end(tag);
  result.publish.push_back({queue_name{"q"}, 0, "again"});
  return result;
}

struct fixture : test_coordinator_fixture<> {
  seen log;
  caf::actor other;
  caf::actor uut;

  std::shared_ptr<incarnation> life = std::make_shared<incarnation>();

  fixture() {
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

  /// The last part of a chord ends, its connection is lost while the publisher has its
  /// body, and it ends again.
  void end_twice() {
    life->options.queues = {queue_name{"parts"}};
    auto connection = connect_broker(life->broker_url, life->options).value();
    outgoing_message part{queue_name{"parts"}, 0, "{}"};
    CAF_REQUIRE(connection->publish({&part, 1}).has_value());
    dynamic_cast<caf::stateful_actor<writer_state>&>(
      *caf::actor_cast<caf::abstract_actor*>(uut))
      .state.results
      = std::make_unique<chord_store>();
    for (uint64_t number : {1, 2}) {
      auto tag = connection->reserve(1).value().at(0).tag;
      auto last = end(tag.str());
      last.workflow.parts.resize(1);
      last.workflow.parts[0].group = "g";
      last.workflow.parts[0].task = task_id{"last"};
      settle(number, {last});
      consume_messages();
      auto lost = end(tag.str());
      lost.how = disposition::restore;
      lost.queue = queue_name{"parts"};
      if (number == 1)
        CAF_REQUIRE(connection->settle({&lost, 1}).value().at(0));
    }
    settle(3, {end("other")});
    consume_messages();
    CAF_REQUIRE_EQUAL(log.handed_over.size(), 1u);
    CAF_CHECK_EQUAL(log.handed_over[0].at(0).publish.at(0).payload, "body");
    CAF_CHECK_EQUAL(log.confirmed, std::vector<uint64_t>{3});
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

CAF_TEST(a body goes with a part that ends again if the first time is lost) {
  end_twice();
  caf::anon_send(uut, settled_elsewhere{{false}});
  consume_messages();
  CAF_REQUIRE_EQUAL(log.handed_over.size(), 2u);
  CAF_CHECK_EQUAL(log.handed_over[1].at(0).publish.at(0).payload, "body");
  CAF_CHECK_EQUAL(log.confirmed, (std::vector<uint64_t>{3, 1}));
  caf::anon_send(uut, settled_elsewhere{{true}});
  consume_messages();
  CAF_CHECK_EQUAL(log.confirmed, (std::vector<uint64_t>{3, 1, 2}));
}

CAF_TEST(a part that ends again adds nothing to a body that is published) {
  end_twice();
  caf::anon_send(uut, settled_elsewhere{{true}});
  consume_messages();
  CAF_CHECK_EQUAL(log.handed_over.size(), 1u);
  CAF_CHECK_EQUAL(log.confirmed, (std::vector<uint64_t>{3, 1, 2}));
}

CAF_TEST(a publisher settles together what has come meanwhile) {
  size_t settles = 0;
  auto hdl = sys.spawn(publisher, life);
  dynamic_cast<caf::stateful_actor<publisher_state>&>(
    *caf::actor_cast<caf::abstract_actor*>(hdl))
    .state.connection
    = std::make_unique<counting_broker>(
      connect_broker(life->broker_url, life->options).value(), &settles);
  auto hand_over = [&](std::vector<settlement> batch) {
    caf::send_as(other, hdl,
                 settle_elsewhere{std::make_shared<std::vector<settlement>>(
                   std::move(batch))});
  };
  auto ended = retry("early"); // was acknowledged before
  ended.how = disposition::none;
  hand_over({retry("lost")});
  hand_over({ended, retry("lost, too")});
  consume_messages();
  CAF_CHECK_EQUAL(settles, 1u);
  hand_over({ended});
  consume_messages();
  CAF_CHECK_EQUAL(settles, 2u);
  CAF_REQUIRE_EQUAL(log.effects.size(), 3u);
  CAF_CHECK_EQUAL(log.effects[0], std::vector<bool>{false});
  CAF_CHECK_EQUAL(log.effects[1], (std::vector<bool>{true, false}));
  CAF_CHECK_EQUAL(log.effects[2], std::vector<bool>{false});
  caf::anon_send_exit(hdl, caf::exit_reason::kill);
}

CAF_TEST_FIXTURE_SCOPE_END()
