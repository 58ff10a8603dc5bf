// Where beats remember: when each entry was due last, what operators have changed,
// and which of several beats leads.
//
// A beat asks `lead` again and again: it answers whether this beat may send, and
// what has been changed meanwhile. Operators' commands write at any time, from other
// processes; a beat changes an entry's runs only, so neither undoes the other's work.
//
// Used by one thread at a time. Implementations: a SQLite file (actors/beat/beat_db),
// Redis (redis/redis_store).
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/error.hpp"
#include "protocol/message/time.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace umbel::schedule {

/// What has been sent for an entry.
struct run_record {
  timestamp last_run_at{}; ///< 1970: never
  int64_t total_run_count = 0;
  int64_t requests_served = 0; ///< of `stored_entry::requests`

  friend bool operator==(const run_record&, const run_record&) = default;
};

/// An entry as it is stored.
struct stored_entry {
  std::string name;
  std::string definition; ///< JSON object, as in `beat_schedule`
  bool live = false;      ///< made by a command; false: from the configuration
  bool enabled = true;
  timestamp changed_at{}; ///< by a command; due times before it do not count
  int64_t requests = 0;   ///< how often it was asked to run at once, ever
  run_record runs;
};

/// Everything that is stored.
struct stored_schedule {
  /// Random, made with the store: ids of messages are derived from it.
  std::string identity;
  std::string zone; ///< of the beat that led last; empty: none yet
  std::vector<stored_entry> entries;
};

/// What became of an attempt to lead.
struct leadership {
  bool leads = false;
  bool anew = false;                ///< since now: load everything
  std::string leader;               ///< who leads if not this one
  std::vector<std::string> changed; ///< entries to load again; gone ones, too
};

/// What a beat writes when it begins to lead.
struct configuration_change {
  std::map<std::string, std::string>
      definitions; ///< to add or replace, by name
  std::vector<std::string> gone;
  std::string zone;
};

class store {
public:
  using records = std::map<std::string, run_record>;

  /// How a command means `put`.
  enum class put_mode : uint8_t {
    add,     ///< there must be none
    replace, ///< there must be one
    any,
  };

  virtual ~store() = default;

  /// For logs, without password.
  virtual std::string location() const = 0;

  // -- for beats ------------------------------------------------------------------

  /// Connects, or does so anew after an error.
  virtual expected<void> connect() = 0;

  /// Takes or renews the lead. To be called every `look_interval`: who is late has
  /// lost it.
  virtual expected<leadership> lead() = 0;

  virtual std::chrono::milliseconds look_interval() const = 0;

  /// How long nobody may have led when another beat takes over: what was due in that
  /// time was missed by no pause that an operator knows of.
  virtual std::chrono::milliseconds takeover_time() const {
    return {};
  }

  virtual expected<stored_schedule> load() = 0;

  /// Those of the named entries that are there.
  virtual expected<std::vector<stored_entry>>
  load(std::span<const std::string> names) = 0;

  /// Writes definitions from the configuration. Of entries that are there nothing
  /// else changes, and live ones stay as they are.
  /// @returns false if this beat does not lead any more: nothing is written then
  virtual expected<bool> configure(const configuration_change& x) = 0;

  /// Whether `commit` can publish: the broker is this very database.
  virtual bool publishes() const {
    return false;
  }

  /// Publishes and notes, all of it in one step or nothing.
  /// @param messages none unless `publishes`; their queues have been declared
  /// @returns false if this beat does not lead any more: nothing has happened
  virtual expected<bool> commit(std::span<const outgoing_message> messages,
                                const records& runs) = 0;

  /// Gives up the lead, if that is possible.
  virtual void resign() noexcept {
  }

  // -- for operators' commands ------------------------------------------------------

  /// Writes all of an entry but `requests` and `runs`.
  /// @returns false if `mode` forbids it
  virtual expected<bool> put(const stored_entry& x, put_mode mode) = 0;

  /// @returns false if there was none
  virtual expected<bool> remove(const std::string& name) = 0;

  /// Asks for one more run. @returns false if there is no such entry
  virtual expected<bool> request_run(const std::string& name) = 0;

  /// The zone of the beat that led last; empty: none yet.
  virtual expected<std::string> zone() = 0;

  /// Who leads now; empty: no beat is running.
  virtual expected<std::string> leader() = 0;
};

} // namespace umbel::schedule
