// What is to be called when results have come: Celery's `AsyncResult.then`.
//
// There is no thread here that could hear of them: whoever waits for such a result
// calls, or whoever runs all of them. Thread-safe. Internal to this folder.
#pragma once

#include "protocol/client/async_result.hpp"
#include "protocol/client/result_hub.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

class result_callbacks {
public:
  using function = std::function<void(const async_result&)>;

  void add(const async_result& x, function f);

  /// The task has ended: calls what waits for it, once. @returns how many
  size_t tell(const std::string& id);

  /// Waits for all results that something waits for, and calls it, until nothing
  /// does any more, or `timeout` has passed.
  /// @returns how many were called; an error if results cannot be had
  expected<size_t> run(result_hub& from,
                       std::optional<std::chrono::milliseconds> timeout);

private:
  struct waiting {
    async_result result;
    function f;
  };

  std::mutex mutex_;
  std::multimap<std::string, waiting> all_; ///< by the task's id
};

} // namespace umbel
