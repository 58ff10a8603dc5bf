// What is to be called when results have come: Celery's `AsyncResult.then`.
//
// There is no thread here that could hear of them: whoever waits for such a result
// calls, or whoever runs all of them. Thread-safe. Internal to this folder.
#pragma once

#include "protocol/client/result_hub.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

class result_callbacks {
public:
  /// @note to hold what owns these callbacks would keep both for ever
  using function = std::function<void()>;
  using ticket = uint64_t;

  /// @param before the tasks that this one follows from: if one of them ends badly,
  ///               it may never end itself
  ticket add(const task_id& id, std::vector<task_id> before, function f);

  /// Takes back what was added for this task, unless it has been called.
  void remove(const task_id& id, ticket x);

  /// The task has ended, or never will: calls what waits for it, once. @returns how many
  size_t tell(const task_id& id);

  /// Waits for all tasks that something waits for, and calls it, until nothing does any
  /// more, or `timeout` has passed.
  /// @returns how many were called; an error if results cannot be had
  expected<size_t> run(result_hub& from,
                       std::optional<std::chrono::milliseconds> timeout);

private:
  struct waiting {
    ticket number;
    std::vector<task_id> before;
    function f;
  };

  /// A task has ended badly: calls what waits for those that follow from it.
  size_t tell_followers(const task_id& id);

  /// All tasks whose end something waits for, or may wait for in vain.
  std::vector<task_id> awaited();

  std::mutex mutex_;
  std::multimap<task_id, waiting> all_;
  ticket last_ = 0;
};

} // namespace umbel
