// watch: what the main thread does while the worker lives.
//
//  1. turns signals into steps of a shutdown and sends them to the root;
//  2. has the tree printed on SIGUSR1 (see census);
//  3. has the tree prove to a service manager that it is alive;
//  4. leaves when the root has ended, or at once when it is told to.
//
// Not an actor: it must work when the actors do not. It is shared with the root's
// end, which may come after this thread has left.
#pragma once

#include "actors/shutdown_ladder.hpp"
#include "actors/worker.hpp"

#include <caf/actor.hpp>
#include <caf/error.hpp>
#include <caf/fwd.hpp>

#include <chrono>

namespace umbel {

class watch {
public:
  /// Blocks the signals that it handles: call it before other threads start.
  /// @param config outlives it
  explicit watch(const worker_config& config);

  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;

  ~watch();

  /// Called by the root actor at its end.
  void on_end(const caf::error& reason);

  /// Forwards signals to the root actor until it has ended, and shows the
  /// service manager that the tree is alive.
  worker_end run(caf::actor_system& system, const caf::actor& root);

private:
  using clock = std::chrono::steady_clock;

  /// @returns whether to leave at once
  bool on_signal(int number, caf::actor_system& system, const caf::actor& root);

  void prove_life(caf::actor_system& system, const caf::actor& root);

  const worker_config& config_;
  shutdown_ladder ladder_;
  const int signals_;
  const int ended_;
  caf::error reason_;
  clock::time_point next_proof_ = clock::now();
};

} // namespace umbel
