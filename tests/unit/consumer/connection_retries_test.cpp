#define CAF_SUITE connection_retries

#include "actors/consumer/connection_retries.hpp"

#include "tests/unit/dsl.hpp"

#include "actors/consumer/listener.hpp"
#include "actors/consumer/reader.hpp"
#include "actors/consumer/writer.hpp"
#include "actors/supervision/supervision_errc.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// Nobody listens on a port of number 1.
constexpr auto nowhere = "redis://127.0.0.1:1/0";

struct ups {
  size_t writers = 0;
  size_t readers = 0;
};

caf::behavior fake_consumer(caf::event_based_actor*, ups* log) {
  return {
    [=](const writer_up&) { ++log->writers; },
    [](const settler_up&) {},
    [=](const reader_up&) { ++log->readers; },
    [](listener_up) {},
    [](lease_renewed) {},
  };
}

struct fixture : test_coordinator_fixture<> {
  ups log;
  caf::actor consumer;
  std::vector<caf::actor> started;
  std::vector<std::string> ends; ///< of writer, reader and listener

  fixture() {
    consumer = sys.spawn(fake_consumer, &log);
  }

  ~fixture() {
    end_all();
    caf::anon_send_exit(consumer, caf::exit_reason::kill);
    consume_messages();
  }

  std::shared_ptr<incarnation> life_at(const std::string& url,
                                       connection_retry_limits limits = {}) {
    auto life = std::make_shared<incarnation>(limits);
    life->broker_url = url;
    life->result_url = url;
    life->options.node = node_name{"celery@test"};
    life->options.incarnation = "1";
    life->options.queues = {queue_name{"celery"}};
    return life;
  }

  template <class F, class... Ts>
  caf::actor start(F what, Ts... xs) {
    auto result = sys.spawn(what, xs...);
    result->attach_functor([this](const caf::error& x) {
      if (!(x == caf::exit_reason::kill))
        ends.push_back(describe(x));
    });
    started.push_back(result);
    return result;
  }

  /// One round: writer, reader and listener, started as their supervisor does.
  void connect(const std::shared_ptr<incarnation>& life) {
    auto w = start(writer, life, consumer, caf::actor{});
    start(reader, life, consumer, w);
    start(listener, life, consumer, caf::actor{}, caf::actor{}, w);
    consume_messages();
  }

  void end_all() {
    for (auto& hdl : started)
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    started.clear();
    consume_messages();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(connection_retries_tests, fixture)

CAF_TEST(a round of connecting is one attempt) {
  auto life = life_at(nowhere, {true, true, 2});
  for (int i = 0; i < 2; ++i) {
    connect(life);
    CAF_REQUIRE_EQUAL(ends.size(), 1u); // the writer; the others wait for it
    CAF_CHECK(ends.back().starts_with("connection_lost: "));
    ends.clear();
    end_all();
  }
  connect(life);
  CAF_REQUIRE_EQUAL(ends.size(), 1u);
  CAF_CHECK(ends.back().find("refused") != std::string::npos);
  CAF_CHECK(ends.back().ends_with("; giving up"));
}

CAF_TEST(whoever asks before the writer has connected is told afterwards) {
  auto life = life_at("memory://connection-retries");
  auto w = start(writer, life, consumer, caf::actor{});
  caf::send_as(consumer, w, await_writer{}); // before its own first message
  consume_messages();
  CAF_CHECK_EQUAL(log.writers, 2u);
  caf::send_as(consumer, w, await_writer{});
  consume_messages();
  CAF_CHECK_EQUAL(log.writers, 3u);
}

CAF_TEST(attempts are counted in a row) {
  connection_retries x{{true, true, 2}};
  for (int i = 0; i < 5; ++i) {
    CAF_CHECK(x.failed());
    CAF_CHECK(x.failed());
    x.succeeded();
  }
  CAF_CHECK(x.failed());
  CAF_CHECK(x.failed());
  CAF_CHECK(!x.failed());
}

CAF_TEST(a reader that has connected begins the count anew) {
  auto life = life_at("memory://connection-retries", {true, true, 1});
  CAF_CHECK(life->retries.failed());
  // Without a listener, which waits in its thread for what it may hear.
  auto w = start(writer, life, consumer, caf::actor{});
  start(reader, life, consumer, w);
  consume_messages();
  CAF_CHECK_EQUAL(log.readers, 1u);
  CAF_CHECK(life->retries.failed());
}

CAF_TEST(without a limit it never gives up) {
  connection_retries x;
  for (int i = 0; i < 1'000; ++i)
    CAF_REQUIRE(x.failed());
}

CAF_TEST(the start has its own rule) {
  connection_retries not_at_start{{true, false, std::nullopt}};
  CAF_CHECK(!not_at_start.failed());
  connection_retries only_at_start{{false, true, std::nullopt}};
  CAF_CHECK(only_at_start.failed());
  only_at_start.succeeded();
  CAF_CHECK(!only_at_start.failed());
  CAF_CHECK(!only_at_start.lost());
}

CAF_TEST_FIXTURE_SCOPE_END()
