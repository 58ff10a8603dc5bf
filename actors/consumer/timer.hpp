// timer: wakes the consumer when held tasks are due (eta, countdown).
//
//  1. keeps due times in a heap, with one pending wake-up for its top;
//  2. tells the consumer all ids that are due, in order;
//  3. looks at the wall clock at least every second, so that a changed clock
//     does not make tasks late.
//
// The root supervisor starts it before the consumer.
#pragma once

#include "actors/consumer/messages.hpp"
#include "actors/supervision/description.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <functional>
#include <queue>
#include <utility>
#include <vector>

namespace umbel {

struct timer_state {
  static inline const char* name = "timer";

  /// Longest sleep: bounds how late a change of the wall clock is noticed.
  static constexpr auto sleep_max = std::chrono::seconds{1};

  using entry = std::pair<timestamp, uint64_t>;

  void add(caf::actor owner, const wake_at& x);
  void wake();
  void schedule();

  caf::event_based_actor* self = nullptr;
  caf::actor owner;
  std::priority_queue<entry, std::vector<entry>, std::greater<>> entries;
  uint64_t generation = 0; ///< older wake-ups are void
  std::function<timestamp()> now;
};

/// @param now the wall clock; tests pass a simulated one
caf::behavior timer(caf::stateful_actor<timer_state>* self,
                    std::function<timestamp()> now);

} // namespace umbel
