// How often a message was begun without an end, and how that came: kept in the
// message itself, in the header `umbel_deliveries`, so that it goes with it from
// node to node and, at last, to the dead letters:
//
//   {"count": 3, "notes": [{"at": ISO 8601, "node": "celery@host",
//                           "end": "signal 9 (SIGKILL)"}, ...]}
//
// A note is written before the task begins. If its worker dies, nobody is left
// to say how it ended, and `end` is missing. Python peers pass over the header.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace umbel {

inline constexpr std::string_view deliveries_header = "umbel_deliveries";

/// One beginning.
struct delivery_note {
  timestamp at{};
  std::string node;
  std::string end; ///< what ended it; empty: nobody lived to tell
};

struct delivery_history {
  /// Older ones are only counted.
  static constexpr size_t notes_max = 20;

  size_t count = 0;
  std::vector<delivery_note> notes; ///< the oldest first

  void add(delivery_note x);
};

/// `count` of the header alone; 0 for what is none.
size_t delivery_count(const json::object& headers);

/// Empty if there is none, or `payload` is no envelope.
delivery_history read_history(std::string_view payload);

/// The envelope with this history in place of its own. @returns `malformed` if
/// it is no envelope
expected<std::string> with_history(std::string_view payload,
                                   const delivery_history& x);

/// The envelope as if it had never been delivered: without history, and not
/// marked as redelivered. What is no envelope is returned as it is.
std::string as_new(std::string_view payload);

} // namespace umbel
