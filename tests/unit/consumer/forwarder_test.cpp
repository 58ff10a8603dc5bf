#define CAF_SUITE forwarder

#include "actors/consumer/forwarder.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// Stands for the writer: counts looks, and answers when the test says so.
caf::behavior recorder(caf::event_based_actor* self, size_t* looks) {
  return {
    [=](await_writer) {
      self->send(caf::actor_cast<caf::actor>(self->current_sender()),
                 writer_up{self});
    },
    [=](forward_due) { ++*looks; },
  };
}

struct fixture : test_coordinator_fixture<> {
  timestamp now = timestamp{} + 1'000h;
  size_t looks = 0;
  caf::actor writer;
  caf::actor uut;

  fixture() {
    writer = sys.spawn(recorder, &looks);
    uut = sys.spawn(forwarder, writer, [this] { return now; });
    consume_messages();
  }

  ~fixture() {
    for (auto& hdl : {uut, writer})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }

  template <class T>
  void tell(T x) {
    caf::anon_send(uut, x);
    consume_messages();
  }

  /// Both clocks go on.
  void pass(std::chrono::milliseconds d) {
    now += d;
    advance_time(d);
    consume_messages();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(forwarder_tests, fixture)

CAF_TEST(it looks when the writer is up and again when it is told to) {
  CAF_CHECK_EQUAL(looks, 1u);
  tell(forwarded{3s});
  pass(2'999ms);
  CAF_CHECK_EQUAL(looks, 1u);
  pass(1ms);
  CAF_CHECK_EQUAL(looks, 2u);
  pass(1h); // no answer, no further look
  CAF_CHECK_EQUAL(looks, 2u);
}

CAF_TEST(it looks at once when more is due) {
  tell(forwarded{0ms});
  CAF_CHECK_EQUAL(looks, 2u);
}

CAF_TEST(it does not look more often than every few milliseconds) {
  tell(forwarded{1ms});
  pass(forwarder_state::pause_min - 1ms);
  CAF_CHECK_EQUAL(looks, 1u);
  pass(1ms);
  CAF_CHECK_EQUAL(looks, 2u);
}

CAF_TEST(a message that is due earlier makes it look earlier and once) {
  tell(forwarded{3s});
  tell(delayed_until{now + 1s});
  tell(delayed_until{now + 2s});
  pass(1s);
  CAF_CHECK_EQUAL(looks, 2u);
  tell(forwarded{3s});
  pass(2'999ms); // the first sleep's end is in there
  CAF_CHECK_EQUAL(looks, 2u);
  pass(1ms);
  CAF_CHECK_EQUAL(looks, 3u);
}

CAF_TEST(what is delayed during a look is remembered) {
  tell(delayed_until{now + 1s});
  tell(forwarded{3s});
  pass(1s);
  CAF_CHECK_EQUAL(looks, 2u);
}

CAF_TEST(what is long due makes it look soon and once) {
  tell(forwarded{3s});
  tell(delayed_until{timestamp{}});
  pass(forwarder_state::pause_min);
  CAF_CHECK_EQUAL(looks, 2u);
  tell(forwarded{3s});
  pass(1s);
  CAF_CHECK_EQUAL(looks, 2u);
}

CAF_TEST_FIXTURE_SCOPE_END()
