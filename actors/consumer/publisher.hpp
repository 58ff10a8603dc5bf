// publisher: the connection for what a broker may not take in.
//
// RabbitMQ that is short of memory or disk space takes no message in, for as long as
// it likes, and hears nothing any more from a connection that sends one. Tasks that end
// without publishing anything go on meanwhile, and empty its queues: the writer, which
// stores results and acknowledges, publishes nothing itself there.
//
//  1. connects when there is something to publish;
//  2. carries out the settlements that publish something, in the order in which the
//     writer hands them over, and tells it what came of them: everything that waits in
//     its mailbox goes to the broker in one pipeline;
//  3. publishes answers to commands, and events. What the broker refuses of these
//     is logged and left.
//
// Detached: it blocks in the broker's socket. The supervisor `connections` starts it
// before the writer, and the writer anew with it. A writer that ends leaves it at work;
// what the next one hands over once more comes after that, and has no effect if it was
// settled by then. Events may be heard twice.
#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/consumer/incarnation.hpp"
#include "actors/consumer/messages.hpp"
#include "actors/supervision/description.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace umbel {

/// Carry these out. Answered by `settled_elsewhere`.
struct settle_elsewhere {
  std::shared_ptr<const std::vector<settlement>> batch;
};

/// For each of the batch whether it took effect.
struct settled_elsewhere {
  std::vector<bool> effects;
};

/// Look after the connection, if there is one.
struct look_after {};

struct publisher_state {
  static inline const char* name = "publisher";

  struct order {
    settle_elsewhere what;
    caf::actor whom; ///< gets the answer
  };

  bool connect();
  void add(const settle_elsewhere& x, caf::actor whom);
  void settle();
  bool publish(const publish_message& x);
  void publish(const publish_events& x, const caf::actor& whom);
  void look_after();
  void fail(const error& x);
  std::string describe() const;

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<incarnation> life;
  std::unique_ptr<broker> connection; ///< null: nothing was published yet
  std::deque<order> orders; ///< to be settled together
};

/// Whether publishing to this broker may have to wait for as long as it likes.
bool may_block(const std::string& broker_url);

/// What the broker refuses is logged. @returns an error if the connection is finished
expected<void> publish_or_log(broker& connection, const publish_message& x);

caf::behavior publisher(caf::stateful_actor<publisher_state>* self,
                        std::shared_ptr<incarnation> life);

} // namespace umbel

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::settle_elsewhere)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::settled_elsewhere)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::look_after)
