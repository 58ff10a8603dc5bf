#define CAF_SUITE dispatcher

#include "actors/pool/dispatcher.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct fixture {
  dispatcher uut;
  dispatcher::time_point t{};
  uint64_t last = 0;

  std::vector<job> make(size_t n, const std::string& task = "noop") {
    std::vector<job> result;
    for (size_t i = 0; i < n; ++i)
      result.push_back({++last, task, nullptr});
    return result;
  }

  /// Assigns what waits and returns the ids by child.
  std::map<uint64_t, std::vector<uint64_t>> assign() {
    std::map<uint64_t, std::vector<uint64_t>> result;
    for (auto& [child, jobs] : uut.assign(t))
      for (auto& x : jobs)
        result[child].push_back(x.id);
    return result;
  }

  /// Assigns what waits and returns the ids for one child.
  std::vector<uint64_t> assigned_to(uint64_t child) {
    return assign()[child];
  }

  /// Makes the average of a task known.
  void teach(const std::string& task, std::chrono::microseconds runtime) {
    auto jobs = make(1, task);
    auto id = jobs.front().id;
    uut.enqueue(std::move(jobs));
    auto run = assign();
    CAF_REQUIRE_EQUAL(run.size(), 1u);
    uut.finish(run.begin()->first, id, runtime, t);
  }
};

using ids = std::vector<uint64_t>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(dispatcher_tests, fixture)

CAF_TEST(without children jobs wait) {
  uut.enqueue(make(3));
  CAF_CHECK(assign().empty());
  CAF_CHECK_EQUAL(uut.num_waiting(), 3u);
}

CAF_TEST(a task that was never seen is not run ahead) {
  uut.add_child(1);
  uut.add_child(2);
  uut.enqueue(make(5));
  auto run = assign();
  CAF_CHECK_EQUAL(run[1], ids{1});
  CAF_CHECK_EQUAL(run[2], ids{2});
  CAF_CHECK_EQUAL(uut.num_waiting(), 3u);
  CAF_CHECK(!uut.running_ahead());
}

CAF_TEST(short jobs are run ahead up to the bound) {
  uut.add_child(1);
  teach("noop", 10us);
  uut.enqueue(make(1'000));
  auto run = assign();
  CAF_CHECK_EQUAL(run[1].size(), dispatcher::ahead_max);
  CAF_CHECK(uut.running_ahead());
}

CAF_TEST(jobs of a millisecond are run ahead for the ahead time only) {
  uut.add_child(1);
  teach("brief", 1ms);
  uut.enqueue(make(100, "brief"));
  CAF_CHECK_EQUAL(assigned_to(1).size(), 4u);
}

CAF_TEST(an idle child gets a job before a busy one gets a second) {
  uut.add_child(1);
  teach("noop", 10us);
  uut.add_child(2);
  uut.enqueue(make(2));
  auto run = assign();
  CAF_CHECK_EQUAL(run[1].size(), 1u);
  CAF_CHECK_EQUAL(run[2].size(), 1u);
}

CAF_TEST(nothing is put behind a task that is known to be long) {
  uut.add_child(1);
  teach("noop", 10us);
  teach("long", 10s);
  uut.enqueue(make(1, "long"));
  uut.enqueue(make(1, "noop"));
  CAF_CHECK_EQUAL(assigned_to(1).size(), 1u);
  CAF_CHECK_EQUAL(uut.num_waiting(), 1u);
}

CAF_TEST(finishing names the job that the child began instead) {
  uut.add_child(1);
  teach("noop", 10us);
  uut.enqueue(make(2));
  auto run = assigned_to(1);
  auto begun = uut.finish(1, run[0], 10us, t);
  CAF_REQUIRE(begun);
  CAF_CHECK_EQUAL(*begun, run[1]);
  CAF_CHECK(!uut.finish(1, run[1], 10us, t));
  CAF_CHECK_EQUAL(uut.num_busy(), 0u);
}

CAF_TEST(a job stuck behind a long one is recalled and goes to a free child) {
  uut.add_child(1);
  teach("noop", 10us);
  uut.enqueue(make(3));
  auto run = assigned_to(1);
  CAF_REQUIRE_EQUAL(run.size(), 3u);
  t += dispatcher::patience;
  CAF_CHECK(uut.overdue(t).empty());
  t += 1us;
  CAF_CHECK_EQUAL(uut.overdue(t), ids{1});
  CAF_CHECK(uut.overdue(t).empty()); // named once
  uut.give_back(1, {run[1], run[2]});
  CAF_CHECK_EQUAL(uut.num_waiting(), 2u);
  uut.add_child(2);
  CAF_CHECK_EQUAL(assigned_to(2), (ids{run[1], run[2]}));
}

CAF_TEST(recalled jobs keep their order before those that wait) {
  uut.add_child(1);
  teach("noop", 10us);
  uut.enqueue(make(3));
  auto run = assigned_to(1);
  t += 1s;
  CAF_REQUIRE_EQUAL(uut.overdue(t), ids{1});
  uut.enqueue(make(1));
  CAF_CHECK(assign().empty()); // the recall is still under way
  uut.give_back(1, {run[1], run[2]});
  uut.add_child(2);
  auto next = assigned_to(2);
  CAF_CHECK_EQUAL(next, (ids{run[1], run[2], last}));
}

CAF_TEST(a lost child loses only what it ran) {
  uut.add_child(1);
  teach("noop", 10us);
  uut.enqueue(make(3));
  auto run = assigned_to(1);
  auto left = uut.remove_child(1);
  CAF_REQUIRE(left.running);
  CAF_CHECK_EQUAL(*left.running, run[0]);
  CAF_CHECK_EQUAL(uut.num_waiting(), 2u);
  uut.add_child(2);
  CAF_CHECK_EQUAL(assigned_to(2), (ids{run[1], run[2]}));
}

CAF_TEST(an idle child leaves nothing) {
  uut.add_child(1);
  CAF_CHECK(!uut.remove_child(1).running);
  CAF_CHECK(!uut.remove_child(1).running);
}

CAF_TEST(take back removes the newest waiting jobs) {
  uut.enqueue(make(5));
  CAF_CHECK_EQUAL(uut.take_back(2), (ids{5, 4, 3}));
  CAF_CHECK_EQUAL(uut.num_waiting(), 2u);
  CAF_CHECK(uut.take_back(2).empty());
}

CAF_TEST(the average follows a task that becomes slow) {
  uut.add_child(1);
  teach("noop", 10us);
  for (int i = 0; i < 50; ++i)
    teach("noop", 20ms);
  uut.enqueue(make(10));
  CAF_CHECK_EQUAL(assigned_to(1).size(), 1u);
}

CAF_TEST(the runner of a job is the child that is at it) {
  uut.add_child(1);
  teach("noop", 10us);
  uut.enqueue(make(2));
  auto run = assigned_to(1);
  CAF_CHECK_EQUAL(uut.runner_of(run[0]), std::optional<uint64_t>{1});
  CAF_CHECK(!uut.runner_of(run[1]));
  CAF_CHECK(uut.is_running(1, run[0]));
  CAF_CHECK(!uut.is_running(1, run[1]));
}

CAF_TEST(of many overdue children each is named once) {
  uut.add_child(1);
  teach("noop", 10us);
  for (uint64_t id = 2; id <= 200; ++id)
    uut.add_child(id);
  uut.enqueue(make(600));
  CAF_CHECK_EQUAL(assign().size(), 200u);
  t += 11ms;
  auto overdue = uut.overdue(t);
  CAF_REQUIRE_EQUAL(overdue.size(), 200u);
  for (uint64_t id = 1; id <= 200; ++id)
    CAF_CHECK_EQUAL(overdue[id - 1], id);
  CAF_CHECK(uut.overdue(t).empty());
  CAF_CHECK(uut.running_ahead());
  for (auto id : overdue)
    uut.give_back(id, {});
  CAF_CHECK_EQUAL(uut.overdue(t).size(), 200u);
}

CAF_TEST(thousands of children are kept in order) {
  constexpr uint64_t size = 5'000;
  for (uint64_t id = 1; id <= size; ++id)
    uut.add_child(id);
  uut.enqueue(make(size + 1));
  auto runs = assign();
  CAF_CHECK_EQUAL(runs.size(), size);
  CAF_CHECK_EQUAL(uut.num_busy(), size);
  CAF_CHECK_EQUAL(uut.num_waiting(), 1u);
  for (uint64_t id = 1; id <= size; ++id)
    CAF_REQUIRE(uut.runner_of(runs[id].front()) == id);
  for (uint64_t id = size; id > 0; --id)
    uut.finish(id, runs[id].front(), 1us, t);
  CAF_CHECK_EQUAL(uut.num_busy(), 0u);
  CAF_CHECK(!uut.runner_of(runs[7].front()));
  CAF_CHECK_EQUAL(uut.idle_children().size(), size);
  CAF_CHECK_EQUAL(assigned_to(1), ids{size + 1});
}

CAF_TEST(a child that was given jobs ahead is not given more while it runs long) {
  uut.add_child(1);
  teach("noop", 100us);
  uut.enqueue(make(2));
  CAF_CHECK_EQUAL(assigned_to(1).size(), 2u);
  t += 5ms;
  uut.enqueue(make(1));
  CAF_CHECK(assign().empty());
  CAF_CHECK(!uut.runner_of(last)); // it waits
  uut.finish(1, last - 2, 5ms, t);
  CAF_CHECK_EQUAL(assigned_to(1), ids{last});
}

CAF_TEST(a child is given no more than its allowance) {
  uut.add_child(1, 4);
  teach("noop", 10us);
  uut.enqueue(make(10));
  auto run = assigned_to(1);
  CAF_CHECK_EQUAL(run.size(), 3u);
  CAF_CHECK(uut.is_exhausted(1));
  for (auto id : run)
    uut.finish(1, id, 10us, t);
  CAF_CHECK(uut.is_idle(1));
  CAF_CHECK(assign().empty());
  CAF_CHECK_EQUAL(uut.num_busy(), 0u);
}

CAF_TEST(what is given back may be given again) {
  uut.add_child(1, 4);
  teach("noop", 10us);
  uut.enqueue(make(3));
  auto run = assigned_to(1);
  CAF_REQUIRE_EQUAL(run.size(), 3u);
  uut.give_back(1, {run[2]});
  CAF_CHECK(!uut.is_exhausted(1));
  CAF_CHECK_EQUAL(assigned_to(1), ids{run[2]});
}

CAF_TEST(a child on notice gets one short job at a time) {
  uut.add_child(1);
  teach("noop", 10us);
  teach("long", 10s);
  CAF_CHECK(!uut.give_notice(1));
  uut.enqueue(make(1, "never seen"));
  CAF_CHECK(assign().empty());
  uut.take_back(0);
  uut.enqueue(make(1, "long"));
  CAF_CHECK(assign().empty());
  uut.take_back(0);
  uut.enqueue(make(2));
  CAF_CHECK_EQUAL(assigned_to(1).size(), 1u);
  CAF_CHECK(!uut.running_ahead());
}

CAF_TEST(notice asks for what was given ahead) {
  uut.add_child(1);
  teach("noop", 10us);
  uut.enqueue(make(3));
  auto run = assigned_to(1);
  CAF_CHECK(uut.give_notice(1));
  CAF_CHECK(!uut.give_notice(1)); // it is recalled already
  t += 1s;
  CAF_CHECK(uut.overdue(t).empty());
  uut.give_back(1, {run[1], run[2]});
  CAF_CHECK(assign().empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
