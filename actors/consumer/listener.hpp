// listener: the connection that hears what is broadcast: commands (remote
// control), what workers say of themselves, and, where it may reach subscribers alone
// (Redis), tasks that every worker is to run (kombu's Broadcast).
//
//  1. when the writer is connected, connects too, and subscribes to the exchange of
//     commands, to the events of workers if there is gossip, and to the exchanges
//     of tasks, whatever keys the messages have. It tells the consumer: a worker is not
//     ready before;
//  2. reads each command, and hands those that are for this node to `control`;
//  3. reads each event, and hands it to `gossip`;
//  4. has the writer put each task on the queue that is this node's own. From there on
//     it is a message like any other: reserved, acknowledged, recovered.
//
// Detached: it blocks in the broker's socket. It ends with the error that the
// connection met; the supervisor `connections` starts a new one. What is broadcast
// meanwhile is missed, as Celery's workers miss it.
//
// Bounds: one message at a time; the mailboxes of the others take what it sends.
#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/consumer/incarnation.hpp"
#include "protocol/broker/subscription.hpp"
#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <memory>
#include <string>
#include <vector>

namespace umbel {

/// Where broadcast tasks come from, and where they go.
struct broadcast_route {
  std::string exchange;
  std::string queue;
};

/// What has to be subscribed to for the queues of this life of the worker.
std::vector<broadcast_route> broadcast_routes(const incarnation& life);

struct listener_state {
  static inline const char* name = "listener";

  /// Longest wait in one go. Messages to this actor are read in between: longer,
  /// and whoever asks for the tree waits in vain for its answer.
  static constexpr auto wait_max = std::chrono::milliseconds{300};

  ~listener_state();

  void connect();
  expected<std::unique_ptr<subscription>> open() const;
  void listen();
  void on_broadcast(broadcast x);
  void on_command(const std::string& payload);
  void on_event(const std::string& payload);
  void on_tasks(broadcast x);
  void fail(const error& x);

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<incarnation> life;
  caf::actor consumer;
  caf::actor control; ///< null: commands are not obeyed
  caf::actor gossip;  ///< null: nobody listens to events
  caf::actor writer;
  std::vector<broadcast_route> tasks;
  std::unique_ptr<subscription> broadcasts;
};

caf::behavior listener(caf::stateful_actor<listener_state>* self,
                       std::shared_ptr<incarnation> life, caf::actor consumer,
                       caf::actor control, caf::actor gossip,
                       caf::actor writer);

} // namespace umbel
