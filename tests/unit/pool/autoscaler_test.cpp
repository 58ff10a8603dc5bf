#define CAF_SUITE autoscaler

#include "actors/pool/autoscaler.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

caf::behavior recorder(caf::event_based_actor*, std::vector<size_t>* sizes) {
  return {
    [](const attach_autoscaler&) {},
    [=](resize_pool x) { sizes->push_back(x.size); },
  };
}

struct fixture : test_coordinator_fixture<> {
  std::vector<size_t> sizes;
  caf::actor pool;
  caf::actor uut;

  fixture() {
    pool = sys.spawn(recorder, &sizes);
    autoscaler_options options;
    options.min = 3;
    options.max = 10;
    uut = sys.spawn(autoscaler, options, pool);
    consume_messages();
  }

  ~fixture() {
    caf::anon_send_exit(uut, caf::exit_reason::kill);
    caf::anon_send_exit(pool, caf::exit_reason::kill);
    consume_messages();
  }

  void load(size_t size, size_t busy, size_t waiting) {
    caf::anon_send(uut, pool_load{size, busy, waiting});
    consume_messages();
  }

  void pass(caf::timespan d) {
    advance_time(d);
    consume_messages();
  }
};

using numbers = std::vector<size_t>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(autoscaler_tests, fixture)

CAF_TEST(an idle pool stays at its minimum) {
  load(3, 0, 0);
  pass(60s);
  CAF_CHECK(sizes.empty());
}

CAF_TEST(waiting jobs grow the pool at once) {
  load(3, 3, 2);
  CAF_CHECK_EQUAL(sizes, numbers{5});
}

CAF_TEST(the pool does not grow past its maximum) {
  load(3, 3, 100);
  CAF_CHECK_EQUAL(sizes, numbers{10});
}

CAF_TEST(the pool shrinks after the time of idleness) {
  load(10, 4, 0);
  pass(29s);
  CAF_CHECK(sizes.empty());
  pass(1s);
  CAF_CHECK_EQUAL(sizes, numbers{4});
}

CAF_TEST(it shrinks to the most that was wanted meanwhile) {
  load(10, 4, 0);
  pass(10s);
  load(10, 8, 0);
  pass(10s);
  load(10, 0, 0);
  pass(10s);
  CAF_CHECK_EQUAL(sizes, numbers{8});
  load(8, 0, 0);
  pass(30s);
  CAF_CHECK_EQUAL(sizes, (numbers{8, 3}));
}

CAF_TEST(demand for all children begins the idle time anew) {
  load(10, 4, 0);
  pass(29s);
  load(10, 10, 0);
  load(10, 4, 0);
  pass(29s);
  CAF_CHECK(sizes.empty());
  pass(1s);
  CAF_CHECK_EQUAL(sizes, numbers{4});
}

CAF_TEST_FIXTURE_SCOPE_END()
