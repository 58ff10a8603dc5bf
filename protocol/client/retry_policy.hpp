// How often a message is published again when the connection to the broker is lost:
// Celery's task_publish_retry_policy.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>

namespace umbel {

struct publish_retry_policy {
  using seconds = std::chrono::duration<double>;

  std::optional<size_t> max_retries = 3; ///< none: for ever
  seconds interval_start{0};             ///< before the first one
  seconds interval_step{0.2};            ///< longer each time
  seconds interval_max{1};

  /// Whether there is one more after so many.
  bool allows(size_t done) const noexcept {
    return !max_retries || done < *max_retries;
  }

  /// How long to wait before it.
  seconds pause(size_t done) const noexcept {
    return std::min(interval_start + interval_step * static_cast<double>(done),
                    interval_max);
  }
};

} // namespace umbel
