// What a worker says of a task that it has: TASK_INFO of contract section 8.4.
#pragma once

#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"
#include "protocol/names.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace umbel {

/// What its message does not tell.
struct task_status {
  std::optional<timestamp> started;
  bool acknowledged = false;
  std::optional<int64_t> worker_pid;
};

/// Longer messages are described without their arguments' values.
constexpr size_t shown_message_max = 64 * 1024;

/// @param payload the task's message
/// @param safe    arguments as texts (Python's repr) instead of values; always
///                so where the values cannot be had
json::object task_info(std::string_view payload, const node_name& node,
                       const task_status& status, bool safe);

} // namespace umbel
