// The messages of the actors that speak with other nodes. All are local to this
// process.
#pragma once

#include "protocol/control/control_request.hpp"
#include "protocol/control/worker_event.hpp"
#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

/// A command for this node was heard.
struct control_command {
  control_request request;
};

/// Publish this through an exchange.
struct publish_message {
  std::string exchange;
  std::string routing_key;
  std::string payload; ///< envelope as JSON text
  int priority = 0;    ///< 0..9, Celery's number for this broker
};

// -- events ---------------------------------------------------------------------

/// Tell whoever listens.
struct emit_event {
  std::string type; ///< "task-received"
  json::object fields; ///< those of its type
  std::optional<timestamp> time; ///< when it happened; empty: now
  bool own = false; ///< a task says it itself, of whatever type
};

/// Publish these in this order. Answered by `events_published`.
struct publish_events {
  std::vector<publish_message> messages;
  uint64_t number = 0; ///< comes back with the answer
};

struct events_published {
  uint64_t number = 0;
};

/// The worker ends: see to it that what was told is published. Answered by
/// `events_finished`, in a second at the latest.
struct finish_events {};

struct events_finished {};

/// This one publishes: the writer.
struct publisher_up {
  caf::actor publisher;
};

/// Send task events, or do not. Answered by `task_events_switched`.
struct switch_task_events {
  bool on = false;
};

struct task_events_switched {
  bool changed = false;
};

// -- gossip ---------------------------------------------------------------------

/// A worker, this one or another, said this of itself.
struct worker_heard {
  worker_event event;
};

/// Take part in an election.
struct begin_election {
  std::string id;
  std::string topic;
  json::value action;
};

} // namespace umbel

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::control_command)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::publish_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::emit_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::publish_events)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::events_published)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::finish_events)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::events_finished)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::publisher_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::switch_task_events)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::task_events_switched)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::worker_heard)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::begin_election)
