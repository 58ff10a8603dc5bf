// The account of one rate limit: when the next task may begin, and how long the
// line of those is that were told to come again. What redis/rate.lua does on a
// server, for limits that are kept in a process.
#pragma once

#include "protocol/message/time.hpp"
#include "protocol/rate.hpp"

namespace umbel {

/// When a task may begin.
struct rate_slot {
  timestamp at; ///< the time of the slot, or when to ask again
  bool taken = false;
};

/// A virtual scheduling algorithm (GCRA without bursts) with a line.
///
/// A slot is given, for good, to whoever can begin within `hold`. All others are
/// told to ask again, each at a time of its own, one interval after another: so
/// they come back at the pace of the limit, in their order, and when they do there
/// is a slot for them. Whoever comes for the first time while there is a line
/// joins its end.
///
/// No more slots than the limit allows are ever given, whoever comes when.
class rate_bucket {
public:
  rate_bucket() = default;

  /// One that was kept elsewhere, in its two times.
  rate_bucket(timestamp free, timestamp line) : free_(free), line_(line) {
  }

  /// @param waited whether the task has been told to ask again before
  rate_slot take(timestamp now, rate limit, std::chrono::microseconds hold,
                 bool waited) {
    auto next = std::max(free_, now);
    if (next <= now + hold && (waited || line_ <= next)) {
      free_ = next + limit.interval;
      return {next, true};
    }
    next = std::max(next, line_);
    line_ = next + limit.interval;
    return {next, false};
  }

  /// Whether it knows no more than a new one.
  bool idle(timestamp now) const noexcept {
    return free_ <= now && line_ <= now;
  }

  timestamp free() const noexcept {
    return free_;
  }

  timestamp line() const noexcept {
    return line_;
  }

private:
  timestamp free_{}; ///< when the next slot may begin
  timestamp line_{}; ///< when the next in line is to ask
};

} // namespace umbel
