// Messages for queues of fanout exchanges on Redis, and who hears them.
#define CAF_SUITE redis_fanout

#include "tests/unit/dsl.hpp"

#include "protocol/broker/redis/redis_subscription.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/message/uniqueness.hpp"
#include "tests/unit/broker/redis_fixture.hpp"

using namespace std::chrono_literals;
using namespace umbel;
using namespace umbel::test;

namespace {

struct fixture : redis_fixture {
  broker_options sender() const {
    auto result = options();
    result.bindings["everyone"] = {"everyone", "fanout", "celery"};
    return result;
  }

  std::unique_ptr<subscription> listen(const std::string& exchange,
                                       const std::string& pattern) const {
    return subscribe_redis(server().url(), options(), exchange, pattern).value();
  }

  static std::string heard(subscription& x, std::chrono::milliseconds timeout) {
    auto message = x.next(timeout).value();
    return message ? message->exchange + ": " + message->payload : "nothing";
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(redis_fanout_tests, fixture)

CAF_TEST(what_follows_from_a_task_reaches_who_listens) {
  auto all = listen("everyone", "#");
  auto x = connect(sender());
  settlement end;
  end.tag = delivery_tag{"n/i/1"};
  end.how = disposition::none;
  end.publish = {{queue_name{"everyone"}, 6, "news"}, {queue_name{"q"}, 0, "task"}};
  CAF_CHECK(x->settle({&end, 1}).value().front());
  CAF_CHECK_EQUAL(heard(*all, 10s), "everyone: news");
  CAF_CHECK_EQUAL(ask({"LRANGE", "q", "0", "-1"}).empty(), false);
  CAF_CHECK_EQUAL(ask({"EXISTS", "everyone"}), "0");
  // The lost reply: the same once more.
  CAF_CHECK(!x->settle({&end, 1}).value().front());
  CAF_CHECK_EQUAL(heard(*all, 0ms), "nothing");
}

CAF_TEST(what_is_unique_is_broadcast_once) {
  auto all = listen("everyone", "#");
  auto x = connect(sender());
  task_call call;
  call.task = "t";
  call.queue = "everyone";
  call.headers[unique_key_header] = "k";
  auto message = [&] {
    return outgoing_message{queue_name{"everyone"}, 0, make_task_message(call)};
  };
  auto first = message(), second = message();
  CAF_CHECK(x->publish({&first, 1}).has_value());
  auto refused = x->publish({&second, 1});
  CAF_REQUIRE(!refused);
  CAF_CHECK(refused.error().code == errc::duplicate);
  CAF_CHECK_EQUAL(heard(*all, 10s), "everyone: " + first.payload);
  CAF_CHECK_EQUAL(heard(*all, 0ms), "nothing");
}

CAF_TEST(one_connection_hears_several_exchanges_and_tells_them_apart) {
  auto x = listen("celery.pidbox", "");
  x->add("everyone", "").value();
  x->add("everyone", "#").value();
  x->add("odd[a]*", "#").value();
  auto others = connect(sender());
  auto say = [&](const char* channel, const char* text) {
    ask({"PUBLISH", channel, text});
  };
  // The confirmations come first.
  while (ask({"PUBSUB", "NUMPAT"}) != "2")
    CAF_CHECK_EQUAL(heard(*x, 0ms), "nothing");
  say("/0.celery.pidbox", "command");
  say("/0.everyone", "no key");
  say("/0.everyone/a.b", "some key");
  say("/0.odda/a", "not this one");
  say("/0.odd[a]*/a", "this one");
  CAF_CHECK_EQUAL(heard(*x, 10s), "celery.pidbox: command");
  CAF_CHECK_EQUAL(heard(*x, 10s), "everyone: no key");
  CAF_CHECK_EQUAL(heard(*x, 10s), "everyone: some key");
  CAF_CHECK_EQUAL(heard(*x, 10s), "odd[a]*: this one");
}

CAF_TEST_FIXTURE_SCOPE_END()
