// The event `task-sent` (contract section 7): whoever publishes tasks tells monitors,
// if `task_send_sent_event` says so.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/control/event.hpp"
#include "protocol/message/json.hpp"

#include <cstdint>
#include <span>

namespace umbel {

/// What the event says of a task message, by its headers.
/// @returns an empty object for what is no task message
json::object sent_event_fields(const outgoing_message& x);

/// Tells of tasks that were published over the same connection. For those who have
/// no event dispatcher.
class sent_events {
public:
  sent_events() = default;

  explicit sent_events(event_source who) : who_(std::move(who)) {
  }

  /// @returns an error when the connection is lost
  expected<void> tell(broker& by, std::span<const outgoing_message> tasks);

private:
  event_source who_;
  uint64_t clock_ = 0; ///< logical
};

} // namespace umbel
