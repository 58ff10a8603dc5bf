// The entries of `beat_schedule`: which tasks are sent, and when.
//
//   {"name": {"task": "tasks.add", "schedule": 30, "args": [1, 2], "kwargs": {},
//             "options": {"queue": "urgent", "expires": 10}, "relative": false,
//             "catch_up": "once"}}
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/schedule/schedule.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace umbel::schedule {

/// What becomes of due times at which no beat was running.
enum class catch_up : uint8_t {
  skip, ///< they are forgotten
  once, ///< one task for all of them, at once: Celery's
  all,  ///< one task for each of the last `catch_up_max` of them
};

/// Bounds what one entry sends after a long pause.
constexpr size_t catch_up_max = 100;

struct entry {
  std::string name;
  any_schedule when;
  schedule::catch_up catch_up = schedule::catch_up::once;
  task_call call; ///< without id and times
  std::optional<std::chrono::microseconds> expires_in;
  std::optional<std::chrono::microseconds> countdown;
};

/// Reads all entries.
/// @param default_queue for those without the option `queue`
/// @returns `invalid_setting` with entry, member and what is wrong
expected<std::vector<entry>> parse_entries(const json::object& x,
                                           const time_zone& zone,
                                           const std::string& default_queue);

/// Celery's `celery.backend_cleanup`, daily at four.
entry backend_cleanup(const time_zone& zone, const std::string& queue);

/// The message that is sent at `now`, with a fresh id, as Celery's beat sends it.
outgoing_message make_message(const entry& x, timestamp now,
                              const std::string& origin);

} // namespace umbel::schedule
