#include "actors/multiplexer_scheduler.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <utility>

#include <sched.h>

namespace umbel {

namespace {

using clock = vigil::clock;

/// How long the thread stays awake with nothing to do. Longer: it catches more,
/// and takes more from whoever shares its core. What it waits for in the course
/// of a task (a script of the broker, a short task) takes a third of this, and about
/// as long as this a client that sends its next task when it has the result.
constexpr auto awake_max = std::chrono::microseconds{120};

/// Only if no longer than this passed between two turns before: tasks that come
/// one at a time cause turns as often; what comes now and then is not worth it.
constexpr auto brisk = std::chrono::microseconds{200};

/// Who takes the core for longer than this when it is offered has work of its own,
/// and not this worker's. To offer it again would cost as much again: who sleeps is
/// woken at once when an event comes, who is ready to run waits for its turn.
constexpr auto taken_max = std::chrono::microseconds{500};

/// After so many waits it is judged whether they were worth it.
constexpr unsigned judged_after = 32;

/// Where it is not worth it to stay awake, it is not tried again before this has
/// passed.
constexpr auto rest = std::chrono::milliseconds{50};

/// Between the turns that one event causes it is looked for others once each;
/// after more looks than this the thread has waited.
constexpr unsigned looks_min = 3;

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
  explicit wakefulness(vigil& x) : vigil_(x) {
  }

  resume_result resume(caf::execution_unit*, size_t) override {
    auto now = clock::now();
    if (now - vigil_.last_turn > awake_max) {
      vigil_.on_waited(false, now);
      return fall_asleep();
    }
    ++vigil_.looks;
    sched_yield(); // whoever else wants the core has it
    auto after = clock::now();
    if (after - now > taken_max) {
      vigil_.rests_until = after + rest;
      return fall_asleep();
    }
    return resume_later;
  }

private:
  resume_result fall_asleep() {
    vigil_.awake = false;
    return done;
  }

  vigil& vigil_;
};

/// A scheduled actor in the dress of what the multiplexer runs itself.
class one_turn : public task_of_loop {
public:
  /// @param what with the reference that its sender took for the scheduler
  one_turn(caf::resumable* what, vigil& x) : what_(what, false), vigil_(x) {
  }

  resume_result resume(caf::execution_unit* loop, size_t throughput) override {
    if (vigil_.awake && vigil_.looks > looks_min)
      vigil_.on_waited(true, vigil_.last_turn);
    vigil_.looks = 0;
    auto result = what_->resume(loop, throughput);
    auto now = clock::now();
    auto passed = now - std::exchange(vigil_.last_turn, now);
    if (passed < brisk && now > vigil_.rests_until
        && !std::exchange(vigil_.awake, true))
      loop->exec_later(new wakefulness{vigil_});
    return result;
  }

private:
  caf::intrusive_ptr<caf::resumable> what_;
  vigil& vigil_;
};

} // namespace

void vigil::on_waited(bool in_time, clock::time_point now) {
  caught += in_time ? 1 : 0;
  if (++waits < judged_after)
    return;
  // Who is waited for may need this very core, and an offer of it is not always
  // taken: the kernel lets a thread that has run for a moment go on.
  if (2 * caught < waits)
    rests_until = now + rest;
  waits = caught = 0;
}

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
  system().middleman().backend().exec_later(new one_turn{what, vigil_});
}

caf::actor_clock& multiplexer_scheduler::clock() noexcept {
  return clock_;
}

} // namespace umbel
