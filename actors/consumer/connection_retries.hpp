// How often the connections try to reach the broker before the worker gives up.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>

namespace umbel {

/// Celery's settings broker_connection_retry, _retry_on_startup and _max_retries.
struct connection_retry_limits {
  bool again = true;            ///< after a connection was lost
  bool again_at_startup = true; ///< before there has been one
  std::optional<size_t> max;    ///< none: for ever
};

/// A round of connecting is one attempt, and one count: the others wait for the
/// writer, and the reader says that the round has succeeded. A publisher connects when
/// there is something to publish: if it cannot, that counts, too. From any thread.
class connection_retries {
public:
  explicit connection_retries(connection_retry_limits x = {}) noexcept
      : limits_(x) {
    // nop
  }

  /// An attempt failed. @returns whether there may be another
  bool failed() noexcept {
    auto wanted = once_connected_ ? limits_.again : limits_.again_at_startup;
    return wanted && (!limits_.max || ++failures_ <= *limits_.max);
  }

  /// An attempt succeeded: the next one is the first again.
  void succeeded() noexcept {
    once_connected_ = true;
    failures_ = 0;
  }

  /// A connection is lost. @returns whether there may be another
  bool lost() const noexcept {
    return limits_.again;
  }

private:
  const connection_retry_limits limits_;
  std::atomic<size_t> failures_{0}; ///< in a row
  std::atomic<bool> once_connected_{false};
};

} // namespace umbel
