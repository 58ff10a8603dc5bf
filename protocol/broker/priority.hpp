// Priority steps: brokers that have no priorities of their own keep a queue for
// each of a few steps, as kombu's Redis transport does (contract section 2.2).
#pragma once

#include <algorithm>
#include <vector>

namespace umbel {

/// The step of a priority from 0 to 9: the largest that is not above it, as kombu's
/// bisect finds it, or the smallest if all are. 0 if there are none.
inline int step_of(const std::vector<int>& steps, int priority) {
  if (steps.empty())
    return 0;
  auto wanted = std::clamp(priority, 0, 9);
  auto result = *std::min_element(steps.begin(), steps.end());
  for (auto step : steps)
    if (step <= wanted)
      result = std::max(result, step);
  return result;
}

} // namespace umbel
