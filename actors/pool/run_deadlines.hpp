// When runs are over their time limits. A value without clocks of its own: the
// pool supervisor tells it what begins and ends, and asks at `next`.
//
// Costs nothing for jobs without limits, and one entry of a table for a job
// that has them, not a timer.
#pragma once

#include "actors/pool/job.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace umbel {

class run_deadlines {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// A run that is over one of its limits.
  struct due {
    uint64_t job = 0;
    bool hard = false;
    std::chrono::milliseconds limit{0};
  };

  /// The run of this job begins. Does nothing if `limits` has none.
  void begin(uint64_t job, const time_limits& limits, time_point now);

  void end(uint64_t job);

  /// Takes out what is over its limit. A run is named once for each of its two
  /// limits, and for the hard one alone when both are over.
  std::vector<due> take_due(time_point now);

  /// When to ask again. May be too early, never too late; nothing while no run
  /// has a limit ahead of it.
  std::optional<time_point> next() const noexcept {
    return next_;
  }

private:
  struct entry {
    time_limits limits; ///< those ahead of it
    time_point since;
  };

  /// The earlier of its limits.
  static time_point earliest(const entry& x);

  void note(time_point x);

  std::unordered_map<uint64_t, entry> runs_;
  std::optional<time_point> next_;
};

} // namespace umbel
