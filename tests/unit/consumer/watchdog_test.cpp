#define CAF_SUITE watchdog

#include "actors/consumer/watchdog.hpp"

#include "tests/unit/dsl.hpp"

#include "actors/supervision/supervision_errc.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// What consumer and writer answer, and how often they were asked.
struct world {
  bool hungry = true;
  uint64_t delivered = 0;
  size_t waiting = 0;
  bool mute = false; ///< the writer does not answer
  bool stuck = false; ///< nor does the reader
  size_t questions = 0;
  size_t looks = 0;
};

caf::behavior fake_writer(caf::event_based_actor* self, world* w) {
  return {[=](count_waiting) {
    ++w->looks;
    if (!w->mute)
      self->send(caf::actor_cast<caf::actor>(self->current_sender()),
                 waiting_messages{queue_name{"celery"}, w->waiting});
  }};
}

caf::behavior fake_reader(caf::event_based_actor* self, world* w) {
  return {[=](call_reader) {
    if (!w->stuck)
      self->send(caf::actor_cast<caf::actor>(self->current_sender()),
                 reader_alive{});
  }};
}

caf::behavior fake_consumer(caf::event_based_actor* self, world* w,
                            caf::actor* reader, caf::actor* writer) {
  return {[=](list_appetite) {
    ++w->questions;
    self->send(caf::actor_cast<caf::actor>(self->current_sender()),
               appetite{w->hungry, w->delivered, *reader, *writer});
  }};
}

struct fixture : test_coordinator_fixture<> {
  static constexpr auto interval = 10s;

  world w;
  caf::actor reader;
  caf::actor writer;
  caf::actor consumer;
  caf::actor uut;
  std::shared_ptr<watchdog_memory> memory = std::make_shared<watchdog_memory>();
  std::optional<caf::error> end; ///< why it ended

  fixture() {
    reader = sys.spawn(fake_reader, &w);
    writer = sys.spawn(fake_writer, &w);
    consumer = sys.spawn(fake_consumer, &w, &reader, &writer);
    start();
  }

  ~fixture() {
    for (auto& hdl : {uut, consumer, reader, writer})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }

  /// Another one, as its supervisor does.
  void start() {
    end.reset();
    uut = sys.spawn(watchdog, caf::timespan{interval}, consumer, memory);
    uut->attach_functor([this](const caf::error& x) { end = x; });
    consume_messages();
  }

  void pass(size_t intervals = 1) {
    for (size_t i = 0; i < intervals; ++i) {
      advance_time(interval);
      consume_messages();
    }
  }

  bool ended_for(supervision_errc code) {
    return end && *end == code;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(watchdog_tests, fixture)

CAF_TEST(an idle worker costs one look in an interval) {
  pass(10);
  CAF_CHECK(!end);
  CAF_CHECK_EQUAL(w.questions, 10u);
  CAF_CHECK_EQUAL(w.looks, 9u);
}

CAF_TEST(a busy worker costs no look) {
  for (int i = 0; i < 5; ++i) {
    ++w.delivered;
    pass();
  }
  w.hungry = false;
  w.waiting = 100;
  pass(5);
  CAF_CHECK_EQUAL(w.looks, 0u);
  CAF_CHECK(!end);
}

CAF_TEST(messages that wait twice in a row while none comes end it) {
  w.waiting = 3;
  pass(2);
  CAF_CHECK_EQUAL(w.looks, 1u);
  CAF_CHECK(!end);
  pass();
  CAF_REQUIRE(ended_for(supervision_errc::connection_lost));
  CAF_CHECK_EQUAL(describe(*end),
                  "connection_lost: this worker is deaf: there is room for more, "
                  "3 messages wait in queue celery, and none has come for 20 s; "
                  "connecting anew, 1 of 3 times");
}

CAF_TEST(a message that came between the looks acquits) {
  w.waiting = 3;
  pass(2);
  ++w.delivered;
  pass();
  CAF_CHECK_EQUAL(w.looks, 1u);
  pass();
  CAF_CHECK(!end);
}

CAF_TEST(queues that were emptied between the looks acquit) {
  w.waiting = 3;
  pass(2);
  w.waiting = 0; // by another worker
  pass();
  w.waiting = 3;
  pass();
  CAF_CHECK(!end);
}

CAF_TEST(a worker without room for a while is not deaf) {
  w.waiting = 3;
  pass(2);
  w.hungry = false;
  pass();
  w.hungry = true;
  pass(2);
  CAF_CHECK(!end);
}

CAF_TEST(what does not help is given up) {
  w.waiting = 1;
  for (size_t i = 0; i < watchdog_state::rebuilds_max; ++i) {
    pass(3);
    CAF_REQUIRE(ended_for(supervision_errc::connection_lost));
    start();
  }
  pass(3);
  CAF_REQUIRE(ended_for(supervision_errc::fatal));
  CAF_CHECK_EQUAL(describe(*end),
                  "this worker is deaf: there is room for more, 1 message waits "
                  "in queue celery, and none has come for 20 s; to connect anew "
                  "has not helped 3 times");
}

CAF_TEST(what has helped is forgotten) {
  w.waiting = 1;
  for (int i = 0; i < 10; ++i) {
    pass(3);
    CAF_REQUIRE(ended_for(supervision_errc::connection_lost));
    ++w.delivered;
    start();
  }
}

CAF_TEST(a reader that does not answer ends it and in the end the worker) {
  w.stuck = true;
  for (size_t i = 0; i < watchdog_state::rebuilds_max; ++i) {
    pass(3);
    CAF_REQUIRE(ended_for(supervision_errc::connection_lost));
    start();
  }
  pass(3);
  CAF_REQUIRE(ended_for(supervision_errc::fatal));
  CAF_CHECK_EQUAL(describe(*end),
                  "this worker is deaf: the reader does not answer, it has waited "
                  "for the broker for more than 10 s; to connect anew has not "
                  "helped 3 times");
}

CAF_TEST(a writer that does not answer ends it but never the worker) {
  w.mute = true;
  for (int i = 0; i < 10; ++i) {
    pass(3);
    CAF_REQUIRE(ended_for(supervision_errc::connection_lost));
    start();
  }
}

CAF_TEST(a writer that has been replaced need not answer) {
  w.mute = true;
  pass(2);
  auto old = std::exchange(writer, caf::actor{}); // not connected yet
  pass();
  w.mute = false;
  writer = sys.spawn(fake_writer, &w);
  caf::anon_send_exit(old, caf::exit_reason::kill);
  pass(3);
  CAF_CHECK(!end);
}

CAF_TEST_FIXTURE_SCOPE_END()
