// forwarder: has delayed messages put back on their queues when they are due.
//
//  1. has the writer look at the delayed messages, sleeps as long as the broker
//     then says, and has it look again;
//  2. looks earlier if this node delays a message until an earlier time.
//
// The broker sees to it that one of all nodes comes when the next message is due;
// the others come seldom, and when that one does not. Idle, it costs one command
// every three seconds.
//
// Supervised with the connections, after the writer. It holds nothing.
#pragma once

#include "actors/consumer/messages.hpp"
#include "actors/supervision/description.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <functional>

namespace umbel {

struct forwarder_state {
  static inline const char* name = "forwarder";

  /// Between two looks, unless more is due than one look can put back: bounds
  /// how often it looks while a message is due every moment. Longer: later.
  static constexpr auto pause_min = std::chrono::milliseconds{5};

  void look();
  void on_forwarded(std::chrono::milliseconds next);
  void on_delayed(timestamp due);
  void sleep_until(timestamp time);

  caf::event_based_actor* self = nullptr;
  caf::actor writer;
  std::function<timestamp()> now;
  bool looking = false;    ///< the writer has not answered yet
  timestamp next{};        ///< the time of the next look
  uint64_t generation = 0; ///< older wake-ups are void
};

/// @param now the wall clock; tests pass a simulated one
caf::behavior forwarder(caf::stateful_actor<forwarder_state>* self,
                        caf::actor writer, std::function<timestamp()> now);

} // namespace umbel
