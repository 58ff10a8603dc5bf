// How often which task may begin: the limits that options and settings give, and
// the accounts of those that are this worker's own.
#pragma once

#include "actors/consumer/request.hpp"
#include "protocol/broker/rate_table.hpp"
#include "protocol/client/settings.hpp"

#include <chrono>
#include <string>
#include <unordered_map>

namespace umbel {

/// The limit of one task.
struct task_rate {
  umbel::rate rate;
  rate_scope scope = rate_scope::worker;
  std::string key; ///< a header; each of its values has a limit of its own
};

/// The limit that a task has by its options, by `task_annotations`, which outrank
/// them, and by `task_default_rate_limit`.
task_rate rate_of(const task_options& task, const settings& x);

/// A value; the consumer asks it.
class rate_limits {
public:
  void add(const std::string& task, task_rate x) {
    if (x.rate.limits())
      tasks_.insert_or_assign(task, std::move(x));
  }

  /// Changes what `add` said; without a limit it may begin at any time.
  void set(const std::string& task, task_rate x) {
    tasks_.erase(task);
    add(task, std::move(x));
  }

  /// @returns null if it may begin at any time.
  const task_rate* find(const std::string& task) const {
    auto i = tasks_.find(task);
    return i != tasks_.end() ? &i->second : nullptr;
  }

  /// The account that a task's run belongs to: "tasks.add", or "tasks.add:acme" by
  /// the value of the header that the limit names.
  static std::string account(const request& r, const task_rate& x);

  /// Takes a slot of this worker's own.
  rate_slot take(const request& r, const task_rate& x, timestamp now,
                 std::chrono::microseconds hold) {
    return accounts_.take(account(r, x), now, x.rate, hold, r.waited);
  }

private:
  std::unordered_map<std::string, task_rate> tasks_;
  rate_table accounts_;
};

} // namespace umbel
