#include "actors/multiplexer_scheduler.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <utility>

#include <sched.h>

namespace umbel {

namespace {

using clock = std::chrono::steady_clock;

/// How long the thread stays awake with nothing to do. Longer: it catches more,
/// and takes more from whoever shares its core. What it waits for in the course
/// of a task (a script of the broker, a short task) takes about half of this.
constexpr auto awake_max = std::chrono::microseconds{50};

/// Only if no longer than this passed between two turns before: tasks that come
/// one at a time cause turns as often; what comes now and then is not worth it.
constexpr auto brisk = std::chrono::microseconds{200};

/// Who takes the core for longer than this when it is offered has work of its own,
/// and not this worker's. To offer it again would cost as much again: who sleeps is
/// woken at once when an event comes, who is ready to run waits for its turn.
constexpr auto taken_max = std::chrono::microseconds{500};

/// So it is not offered again before this has passed.
constexpr auto crowded_for = std::chrono::milliseconds{50};

/// What the multiplexer runs on its own thread.
class task_of_loop : public caf::resumable, public caf::ref_counted {
public:
  subtype_t subtype() const override {
    return function_object;
  }

  void intrusive_ptr_add_ref_impl() override {
    ref();
  }

  void intrusive_ptr_release_impl() override {
    deref();
  }
};

/// While the multiplexer has this to run, it looks for events without sleeping.
class wakefulness : public task_of_loop {
public:
  explicit wakefulness(last_turns& last) : last_(last) {
  }

  resume_result resume(caf::execution_unit*, size_t) override {
    auto now = clock::now();
    if (now - last_.time > awake_max)
      return fall_asleep();
    sched_yield(); // whoever else wants the core has it
    auto after = clock::now();
    if (after - now > taken_max) {
      last_.crowded_until = after + crowded_for;
      return fall_asleep();
    }
    return resume_later;
  }

private:
  resume_result fall_asleep() {
    last_.awake = false;
    return done;
  }

  last_turns& last_;
};

/// A scheduled actor in the dress of what the multiplexer runs itself.
class turn : public task_of_loop {
public:
  /// @param what with the reference that its sender took for the scheduler
  turn(caf::resumable* what, last_turns& last) : what_(what, false), last_(last) {
  }

  resume_result resume(caf::execution_unit* loop, size_t throughput) override {
    auto result = what_->resume(loop, throughput);
    auto now = clock::now();
    auto passed = now - std::exchange(last_.time, now);
    if (passed < brisk && now > last_.crowded_until
        && !std::exchange(last_.awake, true))
      loop->exec_later(new wakefulness{last_});
    return result;
  }

private:
  caf::intrusive_ptr<caf::resumable> what_;
  last_turns& last_;
};

} // namespace

multiplexer_scheduler::multiplexer_scheduler(caf::actor_system& system) : super(system) {
}

caf::actor_system::module* multiplexer_scheduler::make(caf::actor_system& system,
                                            caf::detail::type_list<>) {
  return new multiplexer_scheduler(system);
}

void multiplexer_scheduler::start() {
  timer_ = std::thread{[this] {
    system().thread_started();
    clock_.run_dispatch_loop();
    system().thread_terminates();
  }};
  super::start();
}

void multiplexer_scheduler::stop() {
  stop_actors();
  clock_.cancel_dispatch_loop();
  timer_.join();
}

void multiplexer_scheduler::enqueue(caf::resumable* what) {
  // The multiplexer takes the reference to the turn.
  system().middleman().backend().exec_later(new turn{what, last_});
}

caf::actor_clock& multiplexer_scheduler::clock() noexcept {
  return clock_;
}

} // namespace umbel
