// What a beat has to know: the entries, when each was due last, and which is next.
//
// Not an actor, so that it outlives one. The file is written when tasks have been
// sent; `last_run_at` never runs ahead of the broker.
#pragma once

#include "actors/beat/beat_db.hpp"
#include "protocol/schedule/entry.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

class beat_plan {
public:
  /// One task to send.
  struct due_entry {
    size_t index;
    const schedule::entry* what; ///< lives as long as the plan
    timestamp due; ///< the time for which it is sent
  };

  /// Starts where the last beat with this file ended; entries that it did not know
  /// begin now, entries that are gone are forgotten.
  /// @param deadline `beat_cron_starting_deadline`
  /// @returns what is wrong with the file
  static expected<std::unique_ptr<beat_plan>>
  make(std::vector<schedule::entry> entries, std::unique_ptr<beat_db> file,
       timestamp now, std::optional<std::chrono::microseconds> deadline);

  /// Takes up to `max` tasks that are due, the earliest first. They are gone from
  /// the plan until they are sent or put back.
  std::vector<due_entry> take_due(timestamp now, size_t max);

  /// The broker has accepted what was taken.
  /// @returns `unavailable` if that could not be written; it is tried again with the
  ///          next ones
  expected<void> sent(const std::vector<due_entry>& xs, timestamp now);

  /// What was taken last is not sent.
  void put_back();

  /// When the next entry is due.
  std::optional<timestamp> next_due() const;

  size_t size() const noexcept {
    return entries_.size();
  }

private:
  struct waiting {
    timestamp due;
    size_t index;
  };

  beat_plan() = default;

  void push(size_t index, timestamp due);
  void forget_missed(size_t index, timestamp now);
  std::vector<timestamp> due_times(size_t index, timestamp now) const;

  std::vector<schedule::entry> entries_;
  std::vector<beat_record> records_; // by the same index
  std::vector<waiting> heap_; // the earliest on top
  std::vector<waiting> taken_;
  beat_db::records unsaved_;
  std::unique_ptr<beat_db> file_;
  std::optional<std::chrono::microseconds> deadline_;
};

} // namespace umbel
