#include "actors/supervision/restart_history.hpp"

#include <algorithm>

namespace umbel {

restart_history::restart_history(restart_intensity intensity,
                                 restart_backoff backoff)
    : intensity_(intensity), backoff_(backoff) {
  // nop
}

std::optional<caf::timespan> restart_history::record(time_point now,
                                                     streak& child) {
  // A restart that is exactly one period old still counts, as in OTP.
  while (!recent_.empty() && now - recent_.front() > intensity_.period)
    recent_.pop_front();
  recent_.push_back(now);
  if (recent_.size() > intensity_.max_restarts)
    return std::nullopt;
  if (now - child.alive_since > backoff_.max)
    child.length = 0;
  auto result = delay(++child.length);
  child.alive_since = now + result;
  return result;
}

caf::timespan restart_history::delay(size_t n) const {
  // Doubling step by step never overflows: it stops at the cap.
  auto cap = std::max(backoff_.initial, backoff_.max);
  auto result = backoff_.initial;
  for (size_t i = 1; i < n && result < cap; ++i)
    result = result > cap / 2 ? cap : result * 2;
  return result;
}

} // namespace umbel
