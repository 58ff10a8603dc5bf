// Conformance: an idle consumer sleeps, and wakes when there is something.
#define CAF_SUITE waiting

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/worlds.hpp"

#include <atomic>
#include <thread>

using namespace umbel;
using namespace umbel::test;

namespace {

using real_time = std::chrono::steady_clock;

/// Far longer than a test may take: who returns earlier was woken.
constexpr auto for_ever = 30s;

/// So long that may take on a busy machine. Not longer than until some look by
/// themselves (sign_of_life: 10 s).
constexpr auto at_once = 9s;

/// Waits as a reader does, until there is a message. @returns the time it took.
std::chrono::milliseconds wait_for_message(broker& x,
                                           std::vector<delivery>& result) {
  auto start = real_time::now();
  for (;;) {
    result = reserve(x);
    auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(
        real_time::now() - start);
    if (!result.empty() || passed > for_ever)
      return passed;
    x.wait(for_ever).value();
  }
}

/// A thread that is joined in any case.
struct joined {
  std::thread thread;
  ~joined() {
    thread.join();
  }
};

} // namespace

UMBEL_SCENARIO(wait_wakes_when_a_message_comes) {
  auto x = w.connect(w.options("a@h", {"p", "q", "r"}));
  auto y = w.connect("b@h");
  for (int priority : {0, 9}) {
    std::vector<delivery> got;
    std::thread producer{[&] {
      auto sent = to("q", "1", priority);
      y->publish({&sent, 1}).value();
    }};
    joined guard{std::move(producer)};
    CAF_CHECK_LESS(wait_for_message(*x, got), at_once);
    CAF_CHECK_EQUAL(got.size(), 1u);
  }
}

UMBEL_SCENARIO(wait_wakes_for_each_of_many_messages) {
  auto x = w.connect("a@h");
  auto y = w.connect("b@h");
  std::atomic<int> taken = 0;
  std::thread producer{[&] {
    for (int i = 0; i < 50; ++i) {
      publish(*y, {std::to_string(i)});
      while (taken <= i) // the consumer is idle again, or about to be
        std::this_thread::yield();
    }
  }};
  joined guard{std::move(producer)};
  while (taken < 50) {
    std::vector<delivery> got;
    auto passed = wait_for_message(*x, got);
    CAF_CHECK_LESS(passed, at_once);
    CAF_CHECK_EQUAL(got.size(), 1u);
    for (auto& z : got)
      settle(*x, settled(z));
    taken = passed < at_once ? taken + 1 : 50; // once too late is enough
  }
}

UMBEL_SCENARIO(wait_wakes_when_a_message_is_restored) {
  auto y = w.connect("b@h");
  publish(*y, {"1"});
  auto held = reserve(*y).at(0);
  auto x = w.connect("a@h");
  std::vector<delivery> got;
  std::thread owner{[&] { settle(*y, settled(held, disposition::restore)); }};
  joined guard{std::move(owner)};
  CAF_CHECK_LESS(wait_for_message(*x, got), at_once);
  CAF_CHECK_EQUAL(got.size(), 1u);
}

UMBEL_SCENARIO(wait_returns_at_once_when_there_is_something_already) {
  auto x = w.connect("a@h");
  CAF_CHECK(reserve(*x).empty());
  publish(*w.connect("b@h"), {"1"});
  auto start = real_time::now();
  x->wait(for_ever).value();
  CAF_CHECK_LESS(real_time::now() - start, at_once);
}

UMBEL_SCENARIO(wait_takes_no_message) {
  auto x = w.connect("a@h");
  CAF_CHECK(reserve(*x).empty());
  publish(*w.connect("b@h"), {"1"});
  x->wait(for_ever).value();
  auto reserved = w.waits_by_reserving() ? 1u : 0u;
  CAF_CHECK_EQUAL(x->size(queue_name{"q"}).value(), 1u - reserved);
  CAF_CHECK_EQUAL(w.unacknowledged(), reserved);
}

UMBEL_SCENARIO(wait_ends_after_its_timeout) {
  auto x = w.connect("a@h");
  CAF_CHECK(reserve(*x).empty());
  auto start = real_time::now();
  CAF_CHECK(x->wait(20ms).has_value());
  CAF_CHECK(x->wait(0ms).has_value());
  CAF_CHECK_LESS(real_time::now() - start, at_once);
  CAF_CHECK(reserve(*x).empty());
}

UMBEL_SCENARIO(an_interrupt_ends_a_wait_in_progress) {
  auto x = w.connect("a@h");
  CAF_CHECK(reserve(*x).empty());
  auto start = real_time::now();
  std::thread other{[&] { x->interrupt(); }};
  joined guard{std::move(other)};
  CAF_CHECK(x->wait(for_ever).has_value());
  CAF_CHECK_LESS(real_time::now() - start, at_once);
}

UMBEL_SCENARIO(an_interrupt_ends_the_next_wait) {
  auto x = w.connect("a@h");
  CAF_CHECK(reserve(*x).empty());
  x->interrupt();
  auto start = real_time::now();
  CAF_CHECK(x->wait(for_ever).has_value());
  CAF_CHECK_LESS(real_time::now() - start, at_once);
}
