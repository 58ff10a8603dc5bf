// Events as lines, in the form of `celery events --dump`.
#pragma once

#include "protocol/control/event.hpp"

#include <deque>
#include <string>
#include <unordered_map>

namespace umbel {

class event_dump {
public:
  /// Of so many tasks it is remembered what they were called with.
  static constexpr size_t calls_max = 4'095;

  /// @param heard the present time
  std::string line(const event& x, timestamp heard);

private:
  std::unordered_map<std::string, std::string> calls_; ///< by the task's id
  std::deque<std::string> order_;
};

/// The same as one JSON object, with `local_received`.
std::string event_as_json(const event& x, timestamp heard);

} // namespace umbel
