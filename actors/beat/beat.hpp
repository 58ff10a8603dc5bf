// beat: sends periodic tasks when they are due.
//
//  1. sleeps until the earliest entry is due, at most `max_interval`;
//  2. publishes what is due, the earliest first, in batches;
//  3. notes the batch in the file once the broker has accepted it, and not before:
//     a crash in between sends it once more, never less;
//  4. finds out by itself when an entry is due next: entries wait in a heap, a wake-up
//     costs the due ones alone.
//
// Detached: it waits for broker and disk. When the connection is lost it ends, and
// its supervisor starts it again with backoff; everything that it has to know is in
// the plan, which outlives it. What was due in the meantime is sent then, by the
// entry's `catch_up`.
#pragma once

#include "actors/beat/beat_plan.hpp"
#include "protocol/broker/broker.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>

namespace umbel {

struct beat_options {
  std::function<expected<std::unique_ptr<broker>>()> connect;
  std::function<timestamp()> now; ///< the wall clock; tests pass a simulated one
  std::chrono::microseconds max_interval = std::chrono::minutes{5};
  std::function<void()> on_running = [] {}; ///< it is connected
};

struct beat_state {
  static inline const char* name = "beat";

  void connect();
  void tick();
  bool publish(const std::vector<beat_plan::due_entry>& due, timestamp now);
  void fail(const error& x);

  caf::event_based_actor* self = nullptr;
  beat_options options;
  std::shared_ptr<beat_plan> plan;
  std::unique_ptr<broker> connection;
  std::set<std::string> declared; ///< queues
  std::string origin;
  uint64_t sent = 0;
};

/// @param plan used by nobody else at the same time
caf::behavior beat(caf::stateful_actor<beat_state>* self,
                   std::shared_ptr<beat_plan> plan, beat_options options);

} // namespace umbel
