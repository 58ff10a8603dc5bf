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
  /// @note one that holds what owns these callbacks would keep both for ever
  using function = std::function<void()>;
  using ticket = uint64_t;

  ticket add(const task_id& id, function f);

  /// Takes back what was added for this task. @returns false if it has been called
  bool remove(const task_id& id, ticket x);

  /// The task has ended: calls what waits for it, once. @returns how many
  size_t tell(const task_id& id);

  /// Waits for all tasks that something waits for, and calls it, until nothing does any
  /// more, or `timeout` has passed.
  /// @returns how many were called; an error if results cannot be had
  expected<size_t> run(result_hub& from,
                       std::optional<std::chrono::milliseconds> timeout);

private:
  struct waiting {
    ticket number;
    function f;
  };

  std::mutex mutex_;
  std::multimap<task_id, waiting> all_;
  ticket last_ = 0;
};

} // namespace umbel
