#define CAF_SUITE timer

#include "actors/consumer/timer.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

caf::behavior recorder(caf::event_based_actor*, std::vector<uint64_t>* log) {
  return {
    [=](const woken& x) {
      log->insert(log->end(), x.ids.begin(), x.ids.end());
    },
  };
}

struct fixture : test_coordinator_fixture<> {
  timestamp now = timestamp{} + 1'000h;
  std::vector<uint64_t> log;
  caf::actor owner;
  caf::actor uut;

  fixture() {
    owner = sys.spawn(recorder, &log);
    uut = sys.spawn(timer, [this] { return now; });
  }

  ~fixture() {
    caf::anon_send_exit(uut, caf::exit_reason::kill);
    caf::anon_send_exit(owner, caf::exit_reason::kill);
    consume_messages();
  }

  void wake(std::chrono::milliseconds in, uint64_t id) {
    caf::send_as(owner, uut, wake_at{now + in, id});
    consume_messages();
  }

  /// Both clocks go on.
  void pass(std::chrono::milliseconds d) {
    now += d;
    advance_time(d);
    consume_messages();
  }
};

using ids = std::vector<uint64_t>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(timer_tests, fixture)

CAF_TEST(what is due is woken and the rest is not) {
  wake(300ms, 3);
  wake(100ms, 1);
  wake(200ms, 2);
  pass(99ms);
  CAF_CHECK(log.empty());
  pass(1ms);
  CAF_CHECK_EQUAL(log, ids{1});
  pass(200ms);
  CAF_CHECK_EQUAL(log, (ids{1, 2, 3}));
}

CAF_TEST(what was due in the past is woken at once) {
  wake(-1h, 1);
  pass(0ms);
  CAF_CHECK_EQUAL(log, ids{1});
}

CAF_TEST(a far time is reached in many steps) {
  wake(10s, 1);
  for (int i = 0; i < 9; ++i)
    pass(1s);
  CAF_CHECK(log.empty());
  pass(1s);
  CAF_CHECK_EQUAL(log, ids{1});
}

CAF_TEST(a time beyond the range of the system clock is far off) {
  caf::send_as(owner, uut, wake_at{timestamp{std::chrono::hours{70'000'000}}, 1});
  consume_messages();
  pass(1s);
  CAF_CHECK(log.empty());
}

CAF_TEST(a wall clock that jumps ahead is noticed within a second) {
  wake(1h, 1);
  now += 2h;
  pass(1s);
  CAF_CHECK_EQUAL(log, ids{1});
}

CAF_TEST(a wall clock that jumps back delays) {
  wake(1s, 1);
  now -= 10s;
  pass(1s);
  CAF_CHECK(log.empty());
  for (int i = 0; i < 10; ++i)
    pass(1s);
  CAF_CHECK_EQUAL(log, ids{1});
}

CAF_TEST_FIXTURE_SCOPE_END()
