// What workers say of themselves (contract sections 7 and 9): that they are
// there, and how they vote. It comes from strangers: nothing here throws.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/content.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/message/json.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace umbel {

/// The routing keys of such events: Celery's binding for them.
constexpr const char* worker_events = "worker.#";

struct worker_event {
  enum class kind : uint8_t {
    online,
    heartbeat,
    offline,
    elect,     ///< worker-elect: who wants something done by one of all
    elect_ack, ///< worker-elect-ack: has heard of one
    other,     ///< of no interest
  };

  kind what = kind::other;
  std::string hostname; ///< node name
  int64_t pid = 0;
  uint64_t clock = 0; ///< 0: it has none
  /// Time between two heartbeats.
  std::chrono::milliseconds freq{2'000};

  // -- of elections ---------------------------------------------------------------

  std::string id;
  std::string topic;
  json::value action;
};

/// Reads one. A list of events, which task events come in, is of no interest.
/// @returns `malformed` with what is wrong
expected<worker_event> parse_worker_event(const envelope& x,
                                          const content_rules& rules = {});

/// The fields of an election's events.
json::object elect_fields(const std::string& id, const std::string& topic,
                          const json::value& action);
json::object elect_ack_fields(const std::string& id);

} // namespace umbel
