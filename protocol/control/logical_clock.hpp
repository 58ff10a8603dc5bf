// A node's logical clock (Lamport; contract section 9): it orders what nodes say
// without their times. Any thread may use it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace umbel {

class logical_clock {
public:
  /// The time of something that is said now.
  uint64_t forward() noexcept {
    return ++value_;
  }

  /// Something said at `other` was heard. Of times that no clock can have
  /// reached a stranger may speak: they are passed over, for it would never come
  /// back from there.
  void adjust(uint64_t other) noexcept {
    if (other > value_max)
      return;
    auto now = value_.load();
    while (!value_.compare_exchange_weak(now, std::max(now, other) + 1))
      ;
  }

  uint64_t value() const noexcept {
    return value_;
  }

private:
  /// As far as a double counts: that is what JSON is read into by some.
  static constexpr uint64_t value_max = uint64_t{1} << 52;

  std::atomic<uint64_t> value_ = 0;
};

} // namespace umbel
