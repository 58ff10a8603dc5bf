// How often may a supervisor restart, and how long does it wait before?
//
// A value without a clock: the time is passed in, so that arithmetic is tested
// without actors. The supervisor uses it, and so does the supervisor of the
// pool.
#pragma once

#include <caf/timespan.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <limits>
#include <optional>

namespace umbel {

/// As `max_restarts`: never give up. Use it with a backoff, since a period's
/// restarts are remembered.
constexpr size_t unlimited_restarts = std::numeric_limits<size_t>::max();

/// OTP's guard against a loop of crashes: at most `max_restarts` within any
/// `period`. One more and the supervisor gives up. The default is OTP's.
struct restart_intensity {
  size_t max_restarts = 1;
  caf::timespan period = std::chrono::seconds{5};
};

/// Our addition to OTP: the n-th restart of a child in a row waits for
/// initial * 2^(n-1), at most `max`. A child that lived longer than `max`
/// begins again with n = 1. The default is to restart at once.
struct restart_backoff {
  caf::timespan initial{0};
  caf::timespan max{0};
};

class restart_history {
public:
  // -- member types -----------------------------------------------------------

  using time_point = std::chrono::steady_clock::time_point;

  /// The restarts in a row of one child.
  struct streak {
    size_t length = 0;
    time_point alive_since; ///< when it was, or is to be, started again
  };

  // -- constructors, destructors, and assignment operators --------------------

  restart_history(restart_intensity intensity, restart_backoff backoff);

  // -- modifiers --------------------------------------------------------------

  /// Counts one restart.
  /// @param child the failed child's own streak
  /// @returns the delay before it, or nothing if the intensity is exceeded.
  std::optional<caf::timespan> record(time_point now, streak& child);

  /// The same where all children share one streak.
  std::optional<caf::timespan> record(time_point now) {
    return record(now, common_);
  }

  // -- properties -------------------------------------------------------------

  /// Restarts in the period that ended with the last `record`.
  size_t recent() const noexcept {
    return recent_.size();
  }

private:
  /// The delay before the n-th restart in a row.
  caf::timespan delay(size_t n) const;

  restart_intensity intensity_;
  restart_backoff backoff_;
  std::deque<time_point> recent_; ///< oldest first
  streak common_;
};

} // namespace umbel
