// Conformance: whatever a network does, a worker that keeps the rules of
// broker.hpp settles every message exactly once.
//
// Each scenario runs with several seeds. A failure names its seed, and
// UMBEL_TEST_SEED=<seed> runs that one alone.
#define CAF_SUITE unreliable

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/model_worker.hpp"
#include "tests/unit/broker/worlds.hpp"

#include <algorithm>
#include <cstdlib>

using namespace umbel;
using namespace umbel::test;

namespace {

constexpr int total = 400;

std::vector<uint64_t> seeds() {
  if (auto* seed = std::getenv("UMBEL_TEST_SEED"))
    return {std::strtoull(seed, nullptr, 10)};
  return {1, 2, 3, 4, 5};
}

/// Checks, and says at a failure which seed replays it.
void check(uint64_t seed, bool holds, const char* what) {
  if (holds)
    CAF_CHECK(holds);
  else
    CAF_ERROR(what << " is false with UMBEL_TEST_SEED=" << seed);
}

#define CHECK_SEED(condition) check(seed, condition, #condition)

/// An empty server with `total` messages, whatever was there before.
void fill(world& w) {
  auto x = w.connect("producer@h");
  for (auto queue : {"q", "next"})
    x->purge(queue_name{queue}).value();
  auto results = w.results();
  std::vector<outgoing_message> batch;
  for (int i = 0; i < total; ++i) {
    batch.push_back(to("q", std::to_string(i)));
    results->forget(task_id{std::to_string(i)}).value();
  }
  x->publish(batch).value();
}

bool once(const auto& kv) {
  return kv.second == 1;
}

/// What must be true when all work is done, whatever the way there.
void check_all_settled(world& w, const bad_network& network, uint64_t seed) {
  CHECK_SEED(network.misuses == 0);
  CHECK_SEED(network.faults() > 0);
  CHECK_SEED(w.unacknowledged() == 0);
  CHECK_SEED(w.connect("look@h")->size(queue_name{"q"}).value() == 0);
  std::map<std::string, int> followers;
  for (auto& id : drain(w, "next"))
    ++followers[id];
  CHECK_SEED(followers.size() == total);
  CHECK_SEED(std::ranges::all_of(followers, [](auto& x) { return once(x); }));
  auto results = w.results();
  size_t stored = 0;
  for (int i = 0; i < total; ++i)
    if (results->fetch(task_id{std::to_string(i)}).value())
      ++stored;
  CHECK_SEED(stored == total);
}

/// The same, where every message is taken out of the ledger once.
void check_all_done(world& w, const bad_network& network, uint64_t seed) {
  CHECK_SEED(network.effects.size() == total);
  CHECK_SEED(
      std::ranges::all_of(network.effects, [](auto& x) { return once(x); }));
  check_all_settled(w, network, seed);
}

/// A worker in one of several lives.
std::unique_ptr<model_worker> new_worker(world& w, bad_network& network,
                                         int life,
                                         std::chrono::milliseconds lease,
                                         bool early_acks,
                                         std::set<std::string>* delays
                                         = nullptr) {
  auto options = w.options("worker" + std::to_string(life) + "@h");
  options.incarnation += make_uuid();
  options.lease = lease;
  return std::make_unique<model_worker>(w, network, options, early_acks, delays);
}

/// Workers are killed as by kill -9, at any step; others take over after the
/// lease. The last one lives on over a good network, and finds everything.
/// @returns how many messages of others were put back
size_t work_through_deaths(world& w, bad_network& network, uint64_t seed,
                           std::set<std::string>* delays = nullptr) {
  std::mt19937_64 chance{seed};
  int life = 1;
  size_t recovered = 0;
  auto worker = new_worker(w, network, life, w.lease(), false, delays);
  for (int steps = 0; life < 6 && steps < 100'000; ++steps) {
    worker->step();
    if (worker->busy() && chance() % 10 == 0) { // dies with a batch in hand
      recovered += worker->recovered();
      worker = new_worker(w, network, ++life, w.lease(), false, delays);
    }
  }
  network.heal();
  auto look = w.connect("look@h");
  auto left = [&] { return look->size(queue_name{"q"}).value(); };
  auto done = w.eventually([&] {
    for (int i = 0; i < 100; ++i)
      worker->step();
    return worker->idle() && w.delayed() == 0 && w.unacknowledged() == 0
           && left() == 0;
  });
  CHECK_SEED(done);
  return recovered + worker->recovered();
}

} // namespace

UMBEL_SCENARIO(every_message_is_settled_once_over_a_bad_network) {
  for (auto seed : seeds()) {
    bad_network network{seed};
    fill(w);
    auto worker = new_worker(w, network, 1, 1h, true);
    for (int steps = 0; !worker->idle() && steps < 100'000; ++steps)
      worker->step();
    CHECK_SEED(worker->idle());
    CHECK_SEED(worker->fences() == 0);
    CHECK_SEED(worker->recovered() == 0);
    check_all_done(w, network, seed);
  }
}

UMBEL_SCENARIO(two_workers_over_a_bad_network_do_not_disturb_each_other) {
  for (auto seed : seeds()) {
    bad_network network{seed};
    fill(w);
    std::unique_ptr<model_worker> workers[] = {
        new_worker(w, network, 1, 1h, true),
        new_worker(w, network, 2, 1h, true)};
    std::mt19937_64 turn{seed};
    auto idle = [&] { return workers[0]->idle() && workers[1]->idle(); };
    for (int steps = 0; !idle() && steps < 100'000; ++steps)
      workers[turn() % 2]->step();
    CHECK_SEED(idle());
    CHECK_SEED(workers[0]->fences() + workers[1]->fences() == 0);
    check_all_done(w, network, seed);
  }
}

// With late acknowledgement no message may be lost, and each has its effect once,
// though it may run twice.
UMBEL_SCENARIO(no_message_is_lost_with_workers_that_die) {
  for (auto seed : seeds()) {
    bad_network network{seed};
    fill(w);
    auto recovered = work_through_deaths(w, network, seed);
    CHECK_SEED(!w.has_leases() || recovered > 0);
    check_all_done(w, network, seed);
  }
}

// A message that was to be delayed is delayed or not, but never lost or doubled,
// and it is not taken for an abandoned one.
UMBEL_SCENARIO(delayed_messages_survive_a_bad_network_and_dying_workers) {
  for (auto seed : seeds()) {
    bad_network network{seed};
    fill(w);
    std::set<std::string> delays;
    work_through_deaths(w, network, seed, &delays);
    CHECK_SEED(delays.size() == (total + 2) / 3);
    check_all_settled(w, network, seed);
  }
}
