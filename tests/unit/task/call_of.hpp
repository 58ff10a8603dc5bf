// A call that leaves out all but its task.
#pragma once

#include "protocol/message/task_message.hpp"

#include <string>
#include <utility>

namespace umbel {

inline task_call call_of(std::string task, std::string id = {}) {
  task_call result;
  result.task = std::move(task);
  result.id = std::move(id);
  return result;
}

} // namespace umbel
