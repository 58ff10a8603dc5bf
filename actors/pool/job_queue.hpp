// The jobs of one in-process child: filled by the actor that speaks for it,
// emptied by the thread that runs them.
#pragma once

#include "actors/pool/job.hpp"

#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <vector>

namespace umbel {

/// Thread-safe FIFO.
class job_queue {
public:
  /// @returns whether the queue was empty: the runner has to be woken.
  bool push(const std::vector<job>& jobs) {
    std::unique_lock guard{mutex_};
    auto was_empty = jobs_.empty();
    jobs_.insert(jobs_.end(), jobs.begin(), jobs.end());
    return was_empty;
  }

  std::optional<job> pop() {
    std::unique_lock guard{mutex_};
    if (jobs_.empty())
      return std::nullopt;
    auto result = std::move(jobs_.front());
    jobs_.pop_front();
    return result;
  }

  /// Takes everything off.
  std::vector<job> take_all() {
    std::unique_lock guard{mutex_};
    std::vector<job> result{std::make_move_iterator(jobs_.begin()),
                            std::make_move_iterator(jobs_.end())};
    jobs_.clear();
    return result;
  }

private:
  std::mutex mutex_;
  std::deque<job> jobs_;
};

} // namespace umbel
