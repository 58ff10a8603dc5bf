// What can be asked of a consumer, and changed while it runs. All of these are
// requests, and answered at once.
//
//   list_requests    -> request_list
//   list_tasks       -> task_list
//   list_revoked     -> revoked_list
//   count_runs       -> run_counts
//   set_rate_limit   -> change
//   set_time_limits  -> change
#pragma once

#include "protocol/message/time.hpp"
#include "protocol/rate.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace umbel {

/// What the worker has reserved and not finished.
struct list_requests {};

/// One of these.
struct request_view {
  uint64_t job = 0; ///< the pool's number for it
  std::string id;
  std::shared_ptr<const std::string> payload;
  std::optional<timestamp> begun; ///< nothing while it waits
  std::optional<timestamp> due;   ///< waits here until then
  bool acked = false;
};

struct request_list {
  std::vector<request_view> requests; ///< the oldest first
};

/// The tasks that this worker can run.
struct list_tasks {};

struct task_list {
  struct entry {
    std::string name;
    umbel::rate rate;
  };

  std::vector<entry> tasks; ///< by name
};

struct list_revoked {};

struct revoked_list {
  std::vector<std::pair<std::string, timestamp>> ids; ///< the oldest first
};

struct count_runs {};

struct run_counts {
  std::map<std::string, uint64_t> begun; ///< by task, since this consumer began
  size_t active = 0;                     ///< have begun and not ended
  size_t prefetch = 0;                   ///< messages that it may hold
  std::map<std::string, uint64_t> dead; ///< letters, by queue
  uint64_t duplicates = 0; ///< of unique tasks, refused

  uint64_t total() const {
    uint64_t result = 0;
    for (auto& [task, n] : begun)
      result += n;
    return result;
  }
};

/// From now on, of this task and of this worker.
struct set_rate_limit {
  std::string task;
  umbel::rate rate;
};

/// From now on; an empty one is the worker's own.
struct set_time_limits {
  std::string task;
  std::optional<std::chrono::milliseconds> soft;
  std::optional<std::chrono::milliseconds> hard;
};

struct change {
  bool known = false; ///< there is such a task
};

} // namespace umbel

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::list_requests)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::request_list)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::list_tasks)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::task_list)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::list_revoked)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::revoked_list)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::count_runs)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::run_counts)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::set_rate_limit)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::set_time_limits)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::change)
