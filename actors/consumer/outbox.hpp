// Settlements on their way to the broker.
#pragma once

#include "actors/consumer/messages.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

/// Numbers batches of settlements and keeps each until the settler confirms it,
/// so that a new settler can be given what the last one may not have sent. To
/// send a settlement twice is harmless (see `settlement`).
class outbox {
public:
  void add(settlement x) {
    if (x.dead)
      ++dead_[x.queue.str()];
    open_.push_back(std::move(x));
    ++size_;
  }

  /// Closes what was added since the last call into a batch, if anything was.
  std::optional<settle_batch> close() {
    if (open_.empty())
      return std::nullopt;
    settle_batch result{
      ++last_, std::make_shared<std::vector<settlement>>(std::move(open_))};
    open_ = {};
    unconfirmed_.push_back(result);
    return result;
  }

  /// The number of the batch that is open.
  uint64_t open_number() const noexcept {
    return last_ + 1;
  }

  void confirm(const confirmed& x) {
    std::erase_if(unconfirmed_, [&](auto& batch) {
      if (!x.has(batch.number))
        return false;
      size_ -= batch.settlements->size();
      return true;
    });
  }

  const std::deque<settle_batch>& unconfirmed() const noexcept {
    return unconfirmed_;
  }

  bool empty() const noexcept {
    return size_ == 0;
  }

  /// Settlements that are not confirmed, whether they were sent or not.
  size_t size() const noexcept {
    return size_;
  }

  /// How many dead letters were made, by queue.
  const std::map<std::string, uint64_t>& dead() const noexcept {
    return dead_;
  }

private:
  std::vector<settlement> open_;
  std::deque<settle_batch> unconfirmed_;
  uint64_t last_ = 0;
  size_t size_ = 0;
  std::map<std::string, uint64_t> dead_;
};

} // namespace umbel
