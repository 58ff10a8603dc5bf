// Which tasks were revoked: Celery's worker.state.revoked.
//
// An id stays until room is needed: first those go that are older than
// `expires`, then the oldest. A task that is due tomorrow and was revoked today
// is therefore refused tomorrow, although that is later than `expires`.
#pragma once

#include "protocol/message/time.hpp"
#include "protocol/names.hpp"

#include <chrono>
#include <cstddef>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace umbel {

/// Celery's CELERY_WORKER_REVOKES_MAX and CELERY_WORKER_REVOKE_EXPIRES.
struct revocation_limits {
  size_t max = 50'000; ///< at least 1
  std::chrono::seconds expires{10'800};
};

class revocations {
public:
  explicit revocations(revocation_limits limits = {}) : limits_(limits) {
  }

  /// Adds an id, or makes it as young as `when`.
  void add(const task_id& id, timestamp when);

  bool contains(const task_id& id) const {
    return !times_.empty() && times_.contains(id.str());
  }

  /// All of them, the oldest first.
  std::vector<std::pair<std::string, timestamp>> by_age() const;

  size_t size() const noexcept {
    return times_.size();
  }

private:
  void make_room(timestamp now);

  revocation_limits limits_;
  std::unordered_map<std::string, timestamp> times_;
  std::set<std::pair<timestamp, std::string>> by_age_;
};

} // namespace umbel
