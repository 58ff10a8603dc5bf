// One run of one task, as the pool sees it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace umbel {

/// How long a run may take, from its beginning. Zero: as long as it likes.
struct time_limits {
  std::chrono::milliseconds soft{0}; ///< then it is asked to end
  std::chrono::milliseconds hard{0}; ///< then its child is killed

  bool any() const noexcept {
    return soft.count() > 0 || hard.count() > 0;
  }

  friend bool operator==(const time_limits&, const time_limits&) = default;
};

/// A job is numbered by the consumer. Its payload is shared, since the pool
/// keeps it until the outcome is there: when a child dies, what it had not
/// begun is given to another.
struct job {
  uint64_t id = 0;
  std::string task; ///< registered name, to estimate how long it will run
  std::shared_ptr<const std::string> payload; ///< envelope text
  time_limits limits{};
};

} // namespace umbel
