#include "protocol/task/backoff.hpp"

#include <algorithm>

namespace umbel {

std::chrono::seconds backoff_interval(std::chrono::seconds factor,
                                      int64_t retries,
                                      std::chrono::seconds maximum) {
  auto result = std::min(factor, maximum);
  for (int64_t i = 0; i < retries && result < maximum; ++i) {
    if (result <= std::chrono::seconds::zero())
      break;
    result = result > maximum / 2 ? maximum : 2 * result;
  }
  return std::max(result, std::chrono::seconds::zero());
}

std::chrono::seconds full_jitter(std::chrono::seconds interval,
                                 uint64_t random) {
  return std::chrono::seconds{random
                              % (static_cast<uint64_t>(interval.count()) + 1)};
}

} // namespace umbel
