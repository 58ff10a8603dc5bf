// One run of one task, as the pool sees it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace umbel {

/// A job is numbered by the consumer. Its payload is shared, since the pool
/// keeps it until the outcome is there: when a child dies, what it had not
/// begun is given to another.
struct job {
  uint64_t id = 0;
  std::string task; ///< registered name, to estimate how long it will run
  std::shared_ptr<const std::string> payload; ///< envelope text
};

} // namespace umbel
