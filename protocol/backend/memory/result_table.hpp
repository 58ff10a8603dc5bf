// The documents of one in-memory result store: what a server would hold. All
// connections to the same `memory://name` share one table; it lives as long as
// the process, as a server outlives its clients.
#pragma once

#include "protocol/backend/result_record.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace umbel {

class result_mailbox;

/// Thread-safe.
class result_table {
public:
  /// Milliseconds since an epoch of the clock's own.
  using clock = std::function<std::chrono::milliseconds()>;

  /// The table of this name, made at its first use.
  static std::shared_ptr<result_table> of(const std::string& name);

  result_table();

  /// Writes one record, unless the stored one is a SUCCESS.
  /// @param expires lifetime of the record, 0 for ever.
  void store(const result_record& x, std::chrono::seconds expires);

  std::optional<std::string> fetch(const task_id& id);

  void forget(const task_id& id);

  /// Puts what is stored from now on into this mailbox too, as long as it lives.
  void add_mailbox(std::weak_ptr<result_mailbox> x);

  /// Replaces the clock, so that tests need not wait for anything to expire.
  void set_clock(clock now);

private:
  struct row {
    std::string document;
    std::chrono::milliseconds deadline; ///< max() for ever
  };

  void drop_expired();

  std::mutex mutex_;
  clock now_;
  std::vector<std::weak_ptr<result_mailbox>> mailboxes_;
  std::unordered_map<task_id, row> rows_;
  /// By deadline. May name rows that were rewritten since: those are skipped.
  std::multimap<std::chrono::milliseconds, task_id> deadlines_;
};

} // namespace umbel
