// The buckets of many rate limits in one process.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/rate_bucket.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace umbel {

/// Not thread-safe. Its size is bounded by the number of limits that were asked for
/// within their interval: the others are forgotten from time to time.
class rate_table {
public:
  rate_slot take(const std::string& name, timestamp now, rate limit,
                 std::chrono::microseconds hold, bool waited) {
    if (buckets_.size() >= sweep_at_) {
      std::erase_if(buckets_, [&](auto& x) { return x.second.idle(now); });
      sweep_at_ = std::max(sweep_min, 2 * buckets_.size());
    }
    return buckets_[name].take(now, limit, hold, waited);
  }

  /// Gives several their turns.
  std::vector<turn> take(std::span<const turn_request> batch, timestamp now) {
    std::vector<turn> result;
    for (auto& x : batch) {
      auto slot = take(x.limit, now, x.rate, x.hold, x.waited);
      result.push_back(
        {std::max(slot.at - now, std::chrono::microseconds{0}), slot.taken});
    }
    return result;
  }

  size_t size() const noexcept {
    return buckets_.size();
  }

private:
  static constexpr size_t sweep_min = 1'024;

  std::unordered_map<std::string, rate_bucket> buckets_;
  size_t sweep_at_ = sweep_min;
};

} // namespace umbel
