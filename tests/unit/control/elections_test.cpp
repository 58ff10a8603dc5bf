#define CAF_SUITE elections

#include "protocol/control/elections.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct fixture {
  elections uut;
  elections::time_point now{};

  void elect(const char* who, uint64_t clock, const char* id = "x",
             int64_t pid = 1) {
    worker_event x;
    x.what = worker_event::kind::elect;
    x.id = id;
    x.hostname = who;
    x.pid = pid;
    x.clock = clock;
    x.topic = "task";
    x.action = who;
    uut.on_elect(x, now);
  }

  /// @returns who won, or nothing
  std::string ack(size_t others, const char* id = "x") {
    worker_event x;
    x.id = id;
    auto end = uut.on_ack(x, others);
    return end ? end->winner : "";
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(elections_tests, fixture)

CAF_TEST(the lowest time wins whatever the order) {
  uut.begin("x", now);
  elect("b", 7);
  elect("a", 9);
  elect("c", 5);
  CAF_CHECK_EQUAL(ack(2), "");
  CAF_CHECK_EQUAL(ack(2), "c.1");
  CAF_CHECK_EQUAL(uut.open(), 0u);
  CAF_CHECK_EQUAL(ack(2), "");
}

CAF_TEST(of equal times the first name wins) {
  uut.begin("x", now);
  elect("b", 7);
  elect("a", 7, "x", 30);
  elect("a", 7, "x", 4);
  // As texts: "a.30" is before "a.4".
  CAF_CHECK_EQUAL(ack(1), "a.30");
}

CAF_TEST(a single worker wins at its own acknowledgement) {
  uut.begin("x", now);
  elect("a", 7);
  CAF_CHECK_EQUAL(ack(0), "a.1");
}

CAF_TEST(candidates may be heard of before this node is asked) {
  elect("a", 1);
  CAF_CHECK_EQUAL(ack(1), ""); // Celery: not for us
  uut.begin("x", now);
  elect("b", 2);
  CAF_CHECK_EQUAL(uut.candidates("x"), 2u);
  CAF_CHECK_EQUAL(ack(1), "a.1");
}

CAF_TEST(elections do not mix) {
  uut.begin("x", now);
  uut.begin("y", now);
  elect("a", 1, "x");
  elect("b", 2, "y");
  CAF_CHECK_EQUAL(ack(1, "y"), "b.1");
  CAF_CHECK_EQUAL(ack(1, "x"), "a.1");
}

CAF_TEST(what comes to no end is given up) {
  for (size_t i = 0; i <= elections::open_max; ++i) {
    now += 1ms;
    elect("a", 1, std::to_string(i).c_str());
  }
  CAF_CHECK_EQUAL(uut.open(), elections::open_max);
  CAF_CHECK_EQUAL(uut.candidates("0"), 0u);
  now += 2 * elections::patience;
  elect("a", 1, "z");
  CAF_CHECK_EQUAL(uut.open(), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
