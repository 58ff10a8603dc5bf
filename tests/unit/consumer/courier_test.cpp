// The courier, with a connection that answers when the test says so.
#define CAF_SUITE courier

#include "tests/unit/dsl.hpp"

#include "actors/consumer/courier.hpp"
#include "actors/supervision/supervision_errc.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct fake_broker : polled_broker {
  std::vector<size_t> asked;
  std::optional<std::vector<delivery>> known; ///< the next reservation's
  std::vector<std::vector<settlement>> begun;
  std::vector<queue_name> consumed;
  bool stores = true;
  size_t hurried = 0;
  bool done = false; ///< the next `advance` says so of the last in `begun`
  news next;         ///< the next `advance` returns it
  std::optional<error> lost;

  std::string location() const override {
    return "fake://";
  }

  int descriptor() const noexcept override {
    return -1;
  }

  bool stores_results() const override {
    return stores;
  }

  expected<void> declare(std::span<const queue_name>) override {
    return {};
  }

  void consume(std::span<const queue_name> queues) override {
    consumed.assign(queues.begin(), queues.end());
  }

  expected<std::optional<std::vector<delivery>>>
  begin_reserve(size_t max) override {
    if (known)
      return std::exchange(known, std::nullopt);
    asked.push_back(max);
    return std::optional<std::vector<delivery>>{};
  }

  expected<void> hurry() override {
    ++hurried;
    return {};
  }

  expected<void> begin_settle(std::vector<settlement> batch) override {
    begun.push_back(std::move(batch));
    return {};
  }

  expected<news> advance() override {
    if (lost)
      return *lost;
    auto result = std::exchange(next, news{});
    if (std::exchange(done, false))
      result.settled.emplace(begun.back().size(), true);
    return result;
  }
};

struct seen {
  std::vector<std::string> tags;
  size_t paused = 0;
  size_t alive = 0;
  size_t taken = 0;
  std::vector<uint64_t> confirmed;
  std::vector<timestamp> delayed;
  caf::actor reader;
  caf::actor settler;
};

/// Stands for consumer, writer and watchdog at once.
caf::behavior recorder(caf::event_based_actor*, seen* log) {
  return {
    [=](reader_up& x) { log->reader = x.reader; },
    [=](settler_up& x) { log->settler = x.settler; },
    [=](const deliveries& x) {
      for (auto& y : x.batch)
        log->tags.push_back(y.tag.str());
    },
    [=](reader_paused) { ++log->paused; },
    [=](reader_alive) { ++log->alive; },
    [=](queues_taken) { ++log->taken; },
    [=](confirmed x) { log->confirmed.push_back(x.number); },
    [=](delayed_until x) { log->delayed.push_back(x.due); },
  };
}

struct fixture : test_coordinator_fixture<> {
  seen log;
  caf::actor other;
  caf::actor uut;
  std::string end; ///< of `uut`
  std::shared_ptr<incarnation> life = std::make_shared<incarnation>();
  std::shared_ptr<fake_broker> broker = std::make_shared<fake_broker>();

  fixture() {
    other = sys.spawn(recorder, &log);
  }

  ~fixture() {
    for (auto& hdl : {uut, other})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
    log = {};
  }

  void start() {
    uut = sys.spawn(courier, life, other, other,
                    std::shared_ptr<polled_broker>{broker});
    uut->attach_functor([this](const caf::error& x) { end = describe(x); });
    consume_messages();
  }

  template <class T>
  void tell(T x) {
    caf::send_as(other, uut, std::move(x));
    consume_messages();
  }

  /// Lets it look at its connection.
  void look() {
    advance_time(poll_interval);
    consume_messages();
  }

  std::vector<delivery> messages(uint64_t first, size_t count) {
    std::vector<delivery> result;
    for (auto i = first; i < first + count; ++i)
      result.push_back({delivery_tag{"n/i/" + std::to_string(i)},
                        queue_name{"celery"}, "{}"});
    return result;
  }

  void answer(std::vector<delivery> batch) {
    broker->next.reserved = std::move(batch);
    look();
  }

  settle_batch batch(uint64_t number, std::vector<settlement> x) {
    return {number, std::make_shared<std::vector<settlement>>(std::move(x))};
  }

  using numbers = std::vector<size_t>;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(courier_tests, fixture)

// -- reserving --------------------------------------------------------------------

CAF_TEST(a courier stands for the reader and asks for what it has credit for) {
  start();
  CAF_CHECK(log.reader == uut);
  CAF_CHECK(broker->asked.empty());
  tell(credit{8});
  CAF_CHECK_EQUAL(broker->asked, numbers{8});
  tell(credit{2}); // one question at a time
  CAF_CHECK_EQUAL(broker->asked, numbers{8});
  answer(messages(1, 8));
  CAF_CHECK_EQUAL(log.tags.size(), 8u);
  CAF_CHECK_EQUAL(broker->asked, (numbers{8, 2}));
  CAF_CHECK_EQUAL(life->next_sequence.load(), 9u);
}

CAF_TEST(a courier that has an answer asks for what it has credit for now) {
  start();
  tell(credit{8});
  answer(messages(1, 1));
  CAF_CHECK_EQUAL(broker->asked, (numbers{8, 7}));
  tell(credit{1});
  CAF_CHECK_EQUAL(broker->asked, (numbers{8, 7}));
  answer({});
  CAF_CHECK_EQUAL(broker->asked, (numbers{8, 7, 8}));
  CAF_CHECK_EQUAL(broker->hurried, 0u);
}

CAF_TEST(a courier without credit asks for nothing) {
  start();
  tell(credit{1});
  answer(messages(1, 1));
  look();
  CAF_CHECK_EQUAL(broker->asked, numbers{1});
  tell(credit{3});
  CAF_CHECK_EQUAL(broker->asked, (numbers{1, 3}));
}

CAF_TEST(what was left behind comes first) {
  start();
  broker->known = messages(5, 1);
  tell(credit{8});
  CAF_CHECK_EQUAL(log.tags, std::vector<std::string>{"n/i/5"});
  CAF_CHECK_EQUAL(broker->asked, numbers{7});
}

CAF_TEST(without queues there is nothing to ask for) {
  start();
  broker->known.emplace();
  tell(credit{8});
  CAF_CHECK(broker->asked.empty());
}

CAF_TEST(a courier pauses after the answer that is under way) {
  start();
  tell(credit{8});
  tell(pause_reader{});
  CAF_CHECK_EQUAL(log.paused, 0u);
  CAF_CHECK_EQUAL(broker->hurried, 1u);
  answer(messages(1, 8));
  CAF_CHECK_EQUAL(log.tags.size(), 8u);
  CAF_CHECK_EQUAL(log.paused, 1u);
  CAF_CHECK_EQUAL(broker->asked, numbers{8});
  tell(pause_reader{});
  CAF_CHECK_EQUAL(log.paused, 2u);
}

CAF_TEST(a courier whose broker is silent does not answer the watchdog) {
  start();
  tell(call_reader{});
  CAF_CHECK_EQUAL(log.alive, 1u);
  tell(credit{1});
  tell(call_reader{});
  CAF_CHECK_EQUAL(broker->hurried, 1u); // it may only wait for messages
  look();
  CAF_CHECK_EQUAL(log.alive, 1u);
  answer({});
  CAF_CHECK_EQUAL(log.alive, 2u);
}

CAF_TEST(a courier ends with the connection it reserves on) {
  start();
  broker->lost = error{errc::unavailable, "the server closed it"};
  look();
  CAF_CHECK_EQUAL(end, "connection_lost: the server closed it");
}

CAF_TEST(a courier changes its queues between two reservations) {
  start();
  life->queues->add(queue_name{"one"});
  tell(credit{8});
  tell(queues_changed{});
  CAF_CHECK(broker->consumed.empty()); // the answer under way is by the old list
  CAF_CHECK_EQUAL(broker->hurried, 1u);
  CAF_CHECK_EQUAL(log.taken, 0u);
  answer(messages(1, 1));
  CAF_CHECK_EQUAL(broker->consumed, std::vector{queue_name{"one"}});
  CAF_CHECK_EQUAL(log.taken, 1u);
  CAF_CHECK_EQUAL(broker->asked, (numbers{8, 7})); // of the new ones
}

// -- settling --------------------------------------------------------------------

CAF_TEST(a courier settles one batch at a time and joins what waits) {
  start();
  CAF_CHECK(log.settler == uut);
  tell(batch(1, std::vector<settlement>(2)));
  tell(batch(2, std::vector<settlement>(1)));
  tell(batch(3, std::vector<settlement>(3)));
  CAF_REQUIRE_EQUAL(broker->begun.size(), 1u);
  CAF_CHECK_EQUAL(broker->begun[0].size(), 2u);
  look();
  CAF_CHECK(log.confirmed.empty());
  broker->done = true;
  look();
  CAF_CHECK_EQUAL(log.confirmed, std::vector<uint64_t>{1});
  CAF_REQUIRE_EQUAL(broker->begun.size(), 2u);
  CAF_CHECK_EQUAL(broker->begun[1].size(), 4u);
  broker->done = true;
  look();
  CAF_CHECK_EQUAL(log.confirmed, (std::vector<uint64_t>{1, 3}));
}

CAF_TEST(batches that wait in the mailbox are settled together) {
  start();
  for (uint64_t number : {1, 2, 3})
    caf::anon_send(uut, batch(number, std::vector<settlement>(1)));
  consume_messages();
  CAF_REQUIRE_EQUAL(broker->begun.size(), 1u);
  CAF_CHECK_EQUAL(broker->begun[0].size(), 3u);
  broker->done = true;
  look();
  CAF_CHECK_EQUAL(log.confirmed, std::vector<uint64_t>{3});
}

CAF_TEST(reserving and settling do not wait for each other) {
  start();
  tell(credit{8});
  tell(batch(1, {settlement{}}));
  CAF_CHECK_EQUAL(broker->asked, numbers{8});
  CAF_CHECK_EQUAL(broker->begun.size(), 1u);
  broker->done = true;
  look();
  CAF_CHECK_EQUAL(log.confirmed, std::vector<uint64_t>{1});
  answer(messages(1, 1));
  CAF_CHECK_EQUAL(log.tags.size(), 1u);
}

CAF_TEST(where the broker stores no results the writer settles) {
  broker->stores = false;
  start();
  CAF_CHECK(log.reader == uut);
  CAF_CHECK(!log.settler);
}

CAF_TEST(the earliest delay is told once it is done) {
  start();
  auto now = timestamp{} + 1h;
  settlement later, sooner;
  later.how = sooner.how = disposition::delay;
  later.due = now + 2s;
  sooner.due = now + 1s;
  tell(batch(1, {later, sooner, settlement{}}));
  CAF_CHECK(log.delayed.empty());
  broker->done = true;
  look();
  CAF_REQUIRE_EQUAL(log.delayed.size(), 1u);
  CAF_CHECK(log.delayed[0] == now + 1s);
  tell(batch(2, {settlement{}}));
  broker->done = true;
  look();
  CAF_CHECK_EQUAL(log.delayed.size(), 1u);
}

CAF_TEST(a courier ends with its connection and confirms nothing) {
  start();
  tell(batch(1, {settlement{}}));
  broker->lost = error{errc::timeout, "no reply in time"};
  look();
  CAF_CHECK_EQUAL(end, "connection_lost: no reply in time");
  CAF_CHECK(log.confirmed.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
