#define CAF_SUITE autoscaler

#include "actors/pool/autoscaler.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

caf::behavior recorder(caf::event_based_actor*, std::vector<resize_pool>* told) {
  return {
    [](const attach_autoscaler&) {},
    [=](resize_pool x) { told->push_back(x); },
  };
}

struct fixture : test_coordinator_fixture<> {
  std::vector<resize_pool> told;
  caf::actor pool;
  caf::actor uut;

  fixture() {
    pool = sys.spawn(recorder, &told);
    start(3, 10);
  }

  void start(size_t min, size_t max) {
    caf::anon_send_exit(uut, caf::exit_reason::kill);
    autoscaler_options options;
    options.min = min;
    options.max = max;
    uut = sys.spawn(autoscaler, options, pool);
    consume_messages();
  }

  /// The sizes that the pool was told.
  std::vector<size_t> sizes() const {
    std::vector<size_t> result;
    for (auto& x : told)
      result.push_back(x.size);
    return result;
  }

  /// @returns the answer, or nothing if it was refused
  std::optional<autoscale_info> set(set_autoscale x) {
    std::optional<autoscale_info> answer;
    auto rp = self->request(uut, caf::infinite, x);
    consume_messages();
    rp.receive([&](const autoscale_info& y) { answer = y; },
               [](const caf::error&) {});
    return answer;
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
  CAF_CHECK(told.empty());
}

CAF_TEST(waiting jobs grow the pool at once) {
  load(3, 3, 2);
  CAF_CHECK_EQUAL(sizes(), numbers{5});
}

CAF_TEST(the pool does not grow past its maximum) {
  load(3, 3, 100);
  CAF_CHECK_EQUAL(sizes(), numbers{10});
}

CAF_TEST(the pool shrinks after the time of idleness) {
  load(10, 4, 0);
  pass(29s);
  CAF_CHECK(told.empty());
  pass(1s);
  CAF_CHECK_EQUAL(sizes(), numbers{4});
}

CAF_TEST(it shrinks to the most that was wanted meanwhile) {
  load(10, 4, 0);
  pass(10s);
  load(10, 8, 0);
  pass(10s);
  load(10, 0, 0);
  pass(10s);
  CAF_CHECK_EQUAL(sizes(), numbers{8});
  load(8, 0, 0);
  pass(30s);
  CAF_CHECK_EQUAL(sizes(), (numbers{8, 3}));
}

CAF_TEST(demand for all children begins the idle time anew) {
  load(10, 4, 0);
  pass(29s);
  load(10, 10, 0);
  load(10, 4, 0);
  pass(29s);
  CAF_CHECK(told.empty());
  pass(1s);
  CAF_CHECK_EQUAL(sizes(), numbers{4});
}

CAF_TEST(loads that were reported before do not make it grow once more) {
  load(3, 3, 2);
  load(3, 3, 2);
  load(3, 3, 1);
  CAF_CHECK_EQUAL(sizes(), numbers{5});
  load(3, 3, 4);
  CAF_CHECK_EQUAL(sizes(), (numbers{5, 7}));
  CAF_MESSAGE("children that still start are counted");
  load(7, 3, 4);
  CAF_CHECK_EQUAL(sizes(), (numbers{5, 7}));
}

CAF_TEST(an idle pool goes down to nothing if it may) {
  start(0, 4);
  load(1, 0, 0);
  pass(30s);
  CAF_CHECK_EQUAL(sizes(), numbers{0});
  load(0, 0, 0);
  pass(60s);
  CAF_CHECK_EQUAL(sizes(), numbers{0});
  load(0, 0, 1);
  CAF_CHECK_EQUAL(sizes(), (numbers{0, 1}));
}

CAF_TEST(jobs that come while it shrinks make it grow again) {
  load(10, 0, 0);
  pass(30s);
  CAF_REQUIRE_EQUAL(sizes(), numbers{3});
  load(10, 6, 0); // from before the pool heard of it
  load(3, 6, 0);
  CAF_CHECK_EQUAL(told.back().size, 6u);
}

CAF_TEST(the pool is told how far it may grow) {
  load(3, 3, 2);
  CAF_REQUIRE_EQUAL(told.size(), 1u);
  CAF_CHECK_EQUAL(told[0].max, 10u);
}

CAF_TEST(a higher min takes effect at once) {
  load(3, 0, 0);
  CAF_CHECK(set({{}, 5}) == (autoscale_info{10, 5, 5, 0}));
  CAF_CHECK_EQUAL(sizes(), numbers{5});
  load(5, 0, 0);
  pass(60s);
  CAF_CHECK_EQUAL(sizes(), numbers{5});
}

CAF_TEST(a lower max takes effect at once) {
  load(10, 10, 5);
  CAF_CHECK(set({4, 2}) == (autoscale_info{4, 2, 4, 15}));
  CAF_CHECK_EQUAL(sizes(), numbers{4});
  load(4, 10, 5);
  CAF_CHECK_EQUAL(sizes(), numbers{4});
}

CAF_TEST(a higher max lets waiting jobs have children) {
  load(10, 10, 5);
  CAF_CHECK(set({20, {}}) == (autoscale_info{20, 3, 15, 15}));
  CAF_CHECK_EQUAL(told.back().size, 15u);
  CAF_CHECK_EQUAL(told.back().max, 20u);
}

CAF_TEST(bounds that make no sense are refused) {
  load(3, 0, 0);
  CAF_CHECK(!set({2, {}})); // less than min
  CAF_CHECK(!set({{}, 11}));
  CAF_CHECK(!set({0, 0}));
  CAF_CHECK(!set({100'000, {}}));
  CAF_CHECK(told.empty());
  CAF_CHECK(set({}) == (autoscale_info{10, 3, 3, 0}));
  CAF_CHECK(told.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
