// The queues that a worker consumes: those of its start, and what remote control
// makes of them. Kept from one connection, and one incarnation, to the next. Any
// thread may use it.
#pragma once

#include "protocol/names.hpp"

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace umbel {

class consumed_queues {
public:
  /// Each costs every reservation a look.
  static constexpr size_t queues_max = 1'000;

  enum class change : uint8_t { done, already, too_many };

  explicit consumed_queues(std::vector<queue_name> x = {})
      : names_(std::move(x)) {
  }

  std::vector<queue_name> list() const {
    std::lock_guard guard{mutex_};
    return names_;
  }

  bool consumes(const queue_name& x) const {
    std::lock_guard guard{mutex_};
    return std::ranges::find(names_, x) != names_.end();
  }

  change add(queue_name x) {
    std::lock_guard guard{mutex_};
    if (std::ranges::find(names_, x) != names_.end())
      return change::already;
    if (names_.size() >= queues_max)
      return change::too_many;
    names_.push_back(std::move(x));
    return change::done;
  }

  change remove(const queue_name& x) {
    std::lock_guard guard{mutex_};
    return std::erase(names_, x) > 0 ? change::done : change::already;
  }

private:
  mutable std::mutex mutex_;
  std::vector<queue_name> names_;
};

} // namespace umbel
