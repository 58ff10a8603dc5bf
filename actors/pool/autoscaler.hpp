// autoscaler: keeps the size of the pool between min and max (--autoscale).
//
//  1. grows the pool at once when jobs wait and it may;
//  2. shrinks it when it has had more children than jobs for `keepalive`;
//  3. moves its bounds when it is told to.
//
// It decides numbers only, and logs each decision with them. The pool
// supervisor starts children, and retires idle ones, never one that works.
// Started by the root supervisor after the pool.
//
// A worker learns its tasks from the first hello of a child. A pool whose min
// is 0 therefore starts with one child all the same, which goes after
// `keepalive` if it has nothing to do; from then on a waiting job is what starts
// the next.
#pragma once

#include "actors/pool/messages.hpp"
#include "actors/supervision/description.hpp"

#include <caf/behavior.hpp>
#include <caf/result.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/timespan.hpp>

#include <chrono>
#include <cstddef>
#include <optional>

namespace umbel {

struct autoscaler_options {
  size_t min = 0;
  size_t max = 1; ///< at least 1, and not less than `min`
  /// Celery's AUTOSCALE_KEEPALIVE.
  caf::timespan keepalive = std::chrono::seconds{30};
};

struct autoscaler_state {
  static inline const char* name = "autoscaler";

  void on_load(const pool_load& x);
  void on_idle(uint64_t number);
  caf::result<autoscale_info> on_set(const set_autoscale& x);

  /// The size that the load asks for, within the bounds.
  size_t wanted() const;

  /// The size that the pool has, or will have when it has done as it was told.
  size_t size() const {
    return ordered.value_or(last.size);
  }

  void resize(size_t size);

  caf::event_based_actor* self = nullptr;
  autoscaler_options options;
  caf::actor pool;
  pool_load last;
  /// What the pool was told last, until it reports that size: loads that it
  /// reported before must not make it grow once more.
  std::optional<size_t> ordered;
  /// Numbers the times in which the pool was too large without a break; 0 while
  /// it is not.
  uint64_t idle_time = 0;
  uint64_t last_idle_time = 0;
  size_t most_wanted = 0; ///< in the current idle time
};

caf::behavior autoscaler(caf::stateful_actor<autoscaler_state>* self,
                         autoscaler_options options, caf::actor pool);

} // namespace umbel
