// publisher: the connection by which a worker speaks to others than its queues.
//
//  1. tells the event dispatcher that it is there, when the writer is connected;
//  2. connects at the first message;
//  3. publishes what it is told to: answers to commands, and events. What the
//     broker refuses is logged and left.
//
// Detached: it blocks in the broker's socket. It ends with the error that the
// connection met; the supervisor `connections` starts a new one. What waits in
// its mailbox then is lost: an answer that comes late is worth nothing.
#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/consumer/incarnation.hpp"
#include "actors/supervision/description.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <memory>

namespace umbel {

struct publisher_state {
  static inline const char* name = "publisher";

  bool publish(const publish_message& x);
  void publish(const publish_events& x);
  bool connect();
  void fail(const error& x);

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<incarnation> life;
  caf::actor events; ///< null where there are none
  std::unique_ptr<broker> connection; ///< null until there is something to say
};

caf::behavior publisher(caf::stateful_actor<publisher_state>* self,
                        std::shared_ptr<incarnation> life, caf::actor events,
                        caf::actor writer);

} // namespace umbel
