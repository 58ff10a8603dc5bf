#include "actors/consumer/prefetch_window.hpp"

#include <algorithm>

namespace umbel {

namespace {

using seconds = std::chrono::duration<double>;

/// Length of one measurement of the rate.
constexpr auto sample = std::chrono::milliseconds{5};

/// After this long without a measurement the rate is old news.
constexpr auto stale = std::chrono::milliseconds{100};

} // namespace

prefetch_window::prefetch_window(size_t base, bool fixed)
  : base_(std::max<size_t>(base, 1)), fixed_(fixed) {
}

void prefetch_window::finished(size_t count, time_point now) {
  count_ += count;
  auto elapsed = now - since_;
  if (elapsed < sample)
    return;
  // After an idle time the first sample says nothing about the rate.
  rate_ = elapsed < stale ? static_cast<double>(count_) / seconds{elapsed}.count()
                          : 0;
  count_ = 0;
  since_ = now;
}

size_t prefetch_window::size(time_point now) const {
  if (fixed_ || now - since_ > stale)
    return base_;
  auto wanted = rate_ * seconds{horizon}.count();
  return std::clamp(static_cast<size_t>(wanted), base_,
                    std::max(base_, window_max));
}

} // namespace umbel
