// listener: the connection that hears what is broadcast: commands (remote
// control), and what workers say of themselves.
//
//  1. when the writer is connected, connects too, and subscribes to the exchange
//     of commands, and to the events of workers if there is gossip;
//  2. reads each command, and hands those that are for this node to `control`;
//  3. reads each event, and hands it to `gossip`.
//
// Detached: it blocks in the broker's socket. It ends with the error that the
// connection met; the supervisor `connections` starts a new one.
#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/consumer/incarnation.hpp"
#include "protocol/broker/subscription.hpp"
#include "protocol/message/envelope.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <memory>
#include <string>

namespace umbel {

struct listener_state {
  static inline const char* name = "listener";

  /// Longest wait in one go. Messages to this actor are read in between: longer,
  /// and whoever asks for the tree waits in vain for its answer.
  static constexpr auto wait_max = std::chrono::milliseconds{300};

  ~listener_state();

  void connect();
  void listen();
  void on_broadcast(const std::string& payload);
  void on_command(const std::string& payload);
  void on_event(const envelope& x);
  void fail(const error& x);

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<incarnation> life;
  caf::actor control; ///< null: commands are not obeyed
  caf::actor gossip;  ///< null: nobody listens to events
  std::unique_ptr<subscription> broadcasts;
};

caf::behavior listener(caf::stateful_actor<listener_state>* self,
                       std::shared_ptr<incarnation> life, caf::actor control,
                       caf::actor gossip, caf::actor writer);

} // namespace umbel
