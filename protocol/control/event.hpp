// Events (contract section 7): what nodes tell whoever listens about tasks and
// themselves. What is read comes from strangers: nothing here throws.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/content.hpp"
#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"
#include "protocol/names.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbel {

/// Who speaks.
struct event_source {
  node_name node;
  int64_t pid = 0;
  serializer form = serializer::json; ///< what it writes in: `event_serializer`
  std::string exchange{"celeryev"}; ///< what it speaks through: `event_exchange`
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
/// @param body JSON text
std::string make_event_message(std::string body, const std::string& routing_key,
                               const event_source& source);

/// One event, as it was heard.
struct event {
  std::string type; ///< "task-received"; never empty
  node_name node;   ///< who says it; empty if it does not tell
  timestamp time{}; ///< when it happened, by its sender's clock; 0: not known
  uint64_t clock = 0; ///< logical; 0: it has none
  json::object fields; ///< all, these among them

  /// A field as text; empty if it is missing, null, or no text.
  std::string_view text(std::string_view name) const;

  /// A field as a number; nothing if it is missing or none.
  std::optional<double> number(std::string_view name) const;
};

/// Events that came together.
struct event_batch {
  std::vector<event> events; ///< in their order
  size_t malformed = 0; ///< parts of a list that are none
};

/// Reads one event, or a list. @returns `malformed` if it is neither
expected<event_batch> parse_events(std::string_view payload,
                                   const content_rules& rules = {});

/// Whole hours west of UTC, by this machine's time zone, as Celery rounds them.
int utc_offset();

/// Who made this worker, as worker events have it.
json::object software_info(std::string_view version);

} // namespace umbel
