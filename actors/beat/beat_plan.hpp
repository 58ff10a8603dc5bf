// What a beat has to know: the entries, when each was due last, and which is next.
//
//  1. Entries come from the configuration and from the store, where operators add
//     and change them; a live entry hides one of the configuration of the same name.
//  2. They wait in a heap by due time: a wake-up costs the due ones alone.
//  3. `last_run_at` never runs ahead of the broker: `note` and `save` come when the
//     broker has accepted the tasks, or do both in one step where the store can.
//
// Not an actor, so that it outlives one.
#pragma once

#include "protocol/schedule/entry.hpp"
#include "protocol/schedule/store.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace umbel {

struct beat_plan_options {
  std::vector<schedule::entry> entries; ///< of the configuration
  /// Reads an entry that a command has added: name and definition.
  std::function<expected<schedule::entry>(const std::string&,
                                          const std::string&)>
      parse;
  std::string zone;
  /// `beat_cron_starting_deadline`
  std::optional<std::chrono::microseconds> deadline;
};

class beat_plan {
public:
  struct slot;

  /// One task to send.
  struct due_entry {
    slot* place;                 ///< valid until `take_over` or `update`
    const schedule::entry* what; ///< likewise
    std::string id;              ///< of the task
    timestamp due;               ///< the time for which it is sent
    int64_t request = 0;         ///< not 0: an operator asked for it
  };

  /// Is empty until `take_over`.
  beat_plan(beat_plan_options options, std::unique_ptr<schedule::store> memory);

  beat_plan(const beat_plan&) = delete;
  beat_plan& operator=(const beat_plan&) = delete;

  /// Writes what could not be written before.
  ~beat_plan();

  schedule::store& memory() noexcept {
    return *memory_;
  }

  /// Of the store, after `take_over`.
  const std::string& identity() const noexcept {
    return identity_;
  }

  // -- entries --------------------------------------------------------------------

  /// Starts where the last beat with this store ended: entries that it did not know
  /// begin now, those of its configuration that are gone are forgotten.
  /// @returns false if this beat does not lead any more
  expected<bool> take_over(timestamp now);

  /// Loads these again, and those of which it failed before; `save` is still to come.
  expected<bool> update(std::span<const std::string> names, timestamp now);

  /// Of the configuration, before `take_over`; then all.
  size_t size() const noexcept;

  // -- sending --------------------------------------------------------------------

  /// Takes up to `max` tasks that are due, the earliest first. They are gone from
  /// the plan until they are noted or put back.
  std::vector<due_entry> take_due(timestamp now, size_t max);

  /// They are sent, or will be by the next `save`.
  void note(const std::vector<due_entry>& xs, timestamp now);

  /// Writes what was noted.
  /// @param messages to be published by the same step, if the store can
  /// @returns false if this beat does not lead any more. After an error what was
  ///          noted is kept for the next time, unless there were messages: then only
  ///          the store knows
  expected<bool> save(std::span<const outgoing_message> messages);

  /// What was taken last is not sent.
  void put_back();

  /// When the next entry is due.
  std::optional<timestamp> next_due() const;

private:
  struct waiting {
    timestamp due;
    slot* place;
  };

  expected<bool> configure(const schedule::stored_schedule& stored);
  void set(const schedule::stored_entry& x, timestamp now);
  void erase(const std::string& name);
  void plan(slot& x);
  std::vector<timestamp> due_times(const slot& x, timestamp now) const;

  beat_plan_options options_;
  std::unique_ptr<schedule::store> memory_;
  std::string identity_;
  std::map<std::string, const schedule::entry*> configured_;
  std::map<std::string, slot> slots_;
  std::vector<waiting> heap_; // the earliest on top
  std::vector<due_entry> requests_;
  std::vector<waiting> taken_;
  std::vector<due_entry> taken_requests_;
  schedule::store::records unsaved_;
  std::set<std::string> changed_; // to be loaded again
};

} // namespace umbel
