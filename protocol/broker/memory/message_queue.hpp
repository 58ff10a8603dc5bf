// One queue of the in-memory broker: a list for each priority step, and the
// messages that were parked.
#pragma once

#include "protocol/broker/broker.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace umbel {

/// Not thread-safe: the hub guards it.
class message_queue {
public:
  /// Behind all others of its step.
  void push_back(int step, std::string payload) {
    lists_[step].push_back(std::move(payload));
    ++size_;
  }

  /// Before all others of its step.
  void push_front(int step, std::string payload) {
    lists_[step].push_front(std::move(payload));
    ++size_;
  }

  bool has(int step) const {
    auto i = lists_.find(step);
    return i != lists_.end() && !i->second.empty();
  }

  /// Adds the steps that hold messages.
  void add_steps(std::set<int>& steps) const {
    for (auto& [step, list] : lists_)
      if (!list.empty())
        steps.insert(step);
  }

  /// @pre `has(step)`
  std::string pop(int step) {
    auto& list = lists_[step];
    auto payload = std::move(list.front());
    list.pop_front();
    --size_;
    return payload;
  }

  size_t size() const {
    return size_;
  }

  size_t clear() {
    lists_.clear();
    return std::exchange(size_, 0);
  }

  /// Keeps the newest `max`. @param number is its id
  void park(dead_letter x, uint64_t number, size_t max) {
    x.id = std::to_string(number);
    x.at = now();
    dead_.push_front(std::move(x));
    if (dead_.size() > max)
      dead_.resize(max);
  }

  std::vector<dead_letter> parked(size_t max) const {
    auto n = static_cast<ptrdiff_t>(std::min(max, dead_.size()));
    return {dead_.begin(), dead_.begin() + n};
  }

  /// Takes those out that have these ids, the newest first.
  std::vector<dead_letter> unpark(std::span<const std::string> ids) {
    std::vector<dead_letter> result;
    std::erase_if(dead_, [&](dead_letter& x) {
      if (std::find(ids.begin(), ids.end(), x.id) == ids.end())
        return false;
      result.push_back(std::move(x));
      return true;
    });
    return result;
  }

private:
  std::map<int, std::deque<std::string>> lists_;
  size_t size_ = 0;
  std::deque<dead_letter> dead_; // newest first
};

} // namespace umbel
