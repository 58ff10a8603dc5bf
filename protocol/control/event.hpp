// Events (contract section 7): what a worker tells whoever listens about its
// tasks and itself.
#pragma once

#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"
#include "protocol/names.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace umbel {

/// The exchange of events.
constexpr const char* event_exchange = "celeryev";

/// Who speaks.
struct event_source {
  node_name node;
  int64_t pid = 0;
};

/// Appends one event as a JSON object: `fields`, and what all events have.
/// @param type   "task-received"
/// @param clock  the logical time at which it is said
void append_event(std::string& out, std::string_view type,
                  const json::object& fields, const event_source& source,
                  timestamp time, uint64_t clock);

/// "worker-online" goes by the key "worker.online".
std::string event_routing_key(std::string_view type);

/// The envelope of an event, or of several in a JSON array. Only task events may
/// go together, by the key "task.multi": Python's workers end at an array of
/// worker events.
std::string make_event_message(std::string body, const std::string& routing_key,
                               const node_name& node);

/// Whole hours west of UTC, by this machine's time zone, as Celery rounds them.
int utc_offset();

/// Who made this worker, as worker events have it.
json::object software_info(std::string_view version);

} // namespace umbel
