// How many messages a worker may hold that are not finished.
#pragma once

#include <chrono>
#include <cstddef>

namespace umbel {

/// Celery's window is concurrency x prefetch_multiplier. That is right for long
/// tasks and starves short ones as soon as the broker is a network away. Unless
/// the multiplier was given, this window therefore grows with the rate at which
/// tasks end, up to what takes `horizon` to run, and falls back as soon as they
/// run longer.
class prefetch_window {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Longer: survives slower brokers. Shorter: hoards less when tasks that were
  /// short turn out long.
  static constexpr std::chrono::milliseconds horizon{25};

  /// Bounds the memory that held messages take.
  static constexpr size_t window_max = 2'048;

  /// @param base concurrency x multiplier, at least 1
  /// @param fixed whether the multiplier was given, so that `base` is the law
  prefetch_window(size_t base, bool fixed);

  /// Notes that `count` tasks ended.
  void finished(size_t count, time_point now);

  /// The window now.
  size_t size(time_point now) const;

  /// The pool has another size.
  void set_base(size_t base) noexcept {
    base_ = base > 0 ? base : 1;
  }

  size_t base() const noexcept {
    return base_;
  }

private:
  size_t base_;
  bool fixed_;
  size_t count_ = 0;   ///< ended since `since_`
  time_point since_{}; ///< start of the current measurement
  double rate_ = 0;    ///< tasks per second, of the last measurement
};

} // namespace umbel
