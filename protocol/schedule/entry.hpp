// The entries of `beat_schedule`: which tasks are sent, and when.
//
//   {"name": {"task": "tasks.add", "schedule": 30, "args": [1, 2], "kwargs": {},
//             "options": {"queue": "urgent", "expires": 10}, "relative": false,
//             "catch_up": "once"}}
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/canvas/routing.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/schedule/schedule.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
  std::string definition; ///< the JSON object that it was read from
  bool lazy = false; ///< its arguments are computed when it is sent
  any_schedule when;
  schedule::catch_up catch_up = schedule::catch_up::once;
  task_call call; ///< without id, times and address
  json::object options; ///< `queue`, `priority` ...: where it goes, and how
  std::optional<std::chrono::microseconds> expires_in;
  std::optional<std::chrono::microseconds> countdown;
};

/// Reads all entries.
/// @returns `invalid_setting` with entry, member and what is wrong
expected<std::vector<entry>> parse_entries(const json::object& x,
                                           const time_zone& zone);

/// Reads one entry.
/// @returns as `parse_entries`
expected<entry> parse_entry(std::string_view name, const json::value& x,
                            const time_zone& zone);

/// Celery's `celery.backend_cleanup`, daily at four.
entry backend_cleanup(const time_zone& zone);

/// The id of the task that an entry sends for a due time: the same whoever sends it,
/// and however often.
/// @param schedule the store's identity
std::string due_id(std::string_view schedule, std::string_view entry,
                   timestamp due);

/// The same for the `number`th run that an operator has asked for.
std::string request_id(std::string_view schedule, std::string_view entry,
                       int64_t number);

/// The message that is sent at `now`, as Celery's beat sends it.
/// @returns `not_found` if its queue is not known
expected<outgoing_message> make_message(const entry& x, std::string id,
                                        timestamp now,
                                        const std::string& origin,
                                        const routing& where);

} // namespace umbel::schedule
