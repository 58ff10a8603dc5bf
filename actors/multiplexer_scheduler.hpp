// multiplexer scheduler: runs a worker's scheduled actors on the multiplexer's thread.
//
// CAF has threads for actors and another for brokers. A task passes from one to
// the other five times, and each time a thread is woken: that was a third of
// the time between a client's request and its answer. Here consumer, pool
// supervisor and child workers take turns on one thread, and a message between
// them wakes nobody.
//
// The core that it runs on falls asleep when there is nothing to do, and to wake
// it takes as long as all that is done for a short task here. So the thread stays
// awake for a moment after a turn, if turns follow each other quickly, and lets
// others have the core meanwhile; where they take it for long, or where it rarely
// catches anything, it does not. An idle worker sleeps.
//
// Its price: a handler that blocks holds up the sockets as well. What blocks is
// detached (reader and writer where the broker blocks, threads of tasks), here as
// before.
//
// A module of the actor system in the place of CAF's scheduler; load it before
// the system is made:
//
//     config.load<multiplexer_scheduler>().load<caf::io::middleman>();
#pragma once

#include <caf/detail/thread_safe_actor_clock.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <chrono>
#include <thread>

namespace umbel {

/// How the multiplexer's thread waits for events; its own.
struct vigil {
  using clock = std::chrono::steady_clock;

  /// A wait while awake has ended.
  /// @param in_time by an event
  void on_waited(bool in_time, clock::time_point now);

  clock::time_point last_turn;
  bool awake = false; ///< stays so for a moment
  /// It sleeps when there is nothing to do: others want its core, or being awake has
  /// not caught enough.
  clock::time_point rests_until;
  unsigned looks = 0;  ///< for events, since the last turn
  unsigned waits = 0;  ///< since it was last judged whether they are worth it
  unsigned caught = 0; ///< so many of them ended with an event
};

class multiplexer_scheduler : public caf::scheduler::abstract_coordinator {
public:
  using super = caf::scheduler::abstract_coordinator;

  explicit multiplexer_scheduler(caf::actor_system& system);

  /// What `actor_system_config::load` wants.
  static caf::actor_system::module* make(caf::actor_system& system,
                                         caf::detail::type_list<>);

  void start() override;

  void stop() override;

  /// Gives an actor its turn on the multiplexer's thread. From any thread.
  void enqueue(caf::resumable* what) override;

  caf::actor_clock& clock() noexcept override;

private:
  caf::detail::thread_safe_actor_clock clock_;
  vigil vigil_;
  std::thread timer_; ///< fires timeouts and delayed messages
};

} // namespace umbel
