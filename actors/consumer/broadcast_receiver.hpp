// broadcast receiver: hears the tasks that are broadcast through one fanout
// exchange (kombu's Broadcast), where they may reach subscribers alone (Redis).
//
//  1. when the writer is connected, subscribes to the exchange, whatever key the
//     messages have;
//  2. has the writer put each on the queue that is this node's own. From there on it
//     is a message like any other: reserved, acknowledged, recovered.
//
// Detached: it blocks in the broker's socket. It ends with the error that the
// connection met; the supervisor `connections` starts a new one. What is broadcast
// meanwhile is missed, as Celery's workers miss it.
//
// Bounds: one message at a time; the writer's mailbox takes what it sends.
#pragma once

#include "actors/consumer/incarnation.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <memory>
#include <string>

namespace umbel {

/// Where broadcasts come from, and where they go.
struct broadcast_route {
  std::string exchange;
  std::string queue;
};

struct broadcast_receiver_state {
  static inline const char* name = "broadcast receiver";

  /// Longest wait in one go: messages to this actor are read in between.
  static constexpr auto wait_max = std::chrono::milliseconds{300};

  void connect();
  void listen();
  void fail(const error& x);

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<incarnation> life;
  broadcast_route route;
  caf::actor writer;
  std::unique_ptr<subscription> broadcasts;

  ~broadcast_receiver_state();
};

caf::behavior
broadcast_receiver(caf::stateful_actor<broadcast_receiver_state>* self,
                   std::shared_ptr<incarnation> life, broadcast_route route,
                   caf::actor writer);

} // namespace umbel
