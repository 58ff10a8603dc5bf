// autoscaler: keeps the size of the pool between min and max (--autoscale).
//
//  1. grows the pool at once when jobs wait and it may;
//  2. shrinks it when it has had more children than jobs for `keepalive`.
//
// It decides numbers only. The pool supervisor starts children, and retires
// idle ones, never one that works. Started by the root supervisor after the
// pool.
#pragma once

#include "actors/pool/messages.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/timespan.hpp>

#include <chrono>
#include <cstddef>

namespace umbel {

struct autoscaler_options {
  size_t min = 1; ///< at least 1
  size_t max = 1;
  /// Celery's AUTOSCALE_KEEPALIVE.
  caf::timespan keepalive = std::chrono::seconds{30};
};

struct autoscaler_state {
  static inline const char* name = "autoscaler";

  void on_load(const pool_load& x);
  void on_idle(uint64_t number);

  /// The size that the load asks for, within the bounds.
  size_t wanted() const;

  caf::event_based_actor* self = nullptr;
  autoscaler_options options;
  caf::actor pool;
  pool_load last;
  /// Numbers the times in which the pool was too large without a break; 0 while
  /// it is not.
  uint64_t idle_time = 0;
  uint64_t last_idle_time = 0;
  size_t most_wanted = 0; ///< in the current idle time
};

caf::behavior autoscaler(caf::stateful_actor<autoscaler_state>* self,
                         autoscaler_options options, caf::actor pool);

} // namespace umbel
