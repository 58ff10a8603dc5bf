// Settlements that wait to be carried out together.
#pragma once

#include "actors/consumer/messages.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace umbel {

class pending_settlements {
public:
  void add(const settle_batch& x) {
    all_.insert(all_.end(), x.settlements->begin(), x.settlements->end());
    last_number_ = x.number;
    batches_.insert(batches_.end(), x.settlements->size(), x.number);
    for (auto& y : *x.settlements)
      if (y.how == disposition::delay)
        due_ = std::min(due_.value_or(y.due), y.due);
  }

  /// Takes back what cannot be carried out yet, in order, before others are added.
  void put_back(settlement x, uint64_t batch) {
    all_.push_back(std::move(x));
    batches_.push_back(batch);
  }

  /// Of the newest batch.
  uint64_t last_number() const noexcept {
    return last_number_;
  }

  /// When the first of those is due that are to be delayed, if any is.
  std::optional<timestamp> due() const noexcept {
    return due_;
  }

  size_t size() const noexcept {
    return all_.size();
  }

  /// For each of them, in order, the batch that it came in.
  const std::vector<uint64_t>& batches() const noexcept {
    return batches_;
  }

  /// Hands all of them over.
  std::vector<settlement> take() {
    due_.reset();
    batches_.clear();
    return std::exchange(all_, {});
  }

private:
  std::vector<settlement> all_;
  std::vector<uint64_t> batches_;
  uint64_t last_number_ = 0;
  std::optional<timestamp> due_;
};

} // namespace umbel
