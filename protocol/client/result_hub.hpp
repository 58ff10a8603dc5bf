// Results for any number of threads at once, over one subscription.
//
//  1. Of the threads that wait, one listens for all of them and hands over what
//     arrives; when it has its own, another one takes its place.
//  2. A lost connection is opened again by whoever needs it, and what may have
//     been missed is looked up in the store.
//
// Thread-safe. Holds no thread of its own.
#pragma once

#include "protocol/backend/result_listener.hpp"
#include "protocol/backend/workflow_store.hpp"
#include "protocol/client/task_result.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace umbel {

/// Two ways to the same results.
struct result_connections {
  std::unique_ptr<result_listener> listener;
  std::unique_ptr<result_store> store;
};

class result_hub {
public:
  using duration = std::chrono::milliseconds;
  using opener = std::function<expected<result_connections>()>;

  /// Between two looks at the store itself, in case an announcement was lost.
  static constexpr duration look_interval{1'000};

  /// Connects when it is first used.
  /// @param how `result_serializer`
  result_hub(opener open, serializer how);

  /// Connects now.
  expected<void> open();

  /// How a wait has ended.
  struct ends {
    std::vector<task_result> results; ///< in the order of their ids
    /// That of a task before them which has not ended well: they may never end.
    std::optional<task_result> failed_before;
  };

  /// Waits for the ends of tasks.
  /// @param before the tasks that they follow from, the first one first
  /// @returns nothing when `timeout` has passed
  expected<std::optional<ends>> wait(std::span<const task_id> ids,
                                     std::span<const task_id> before,
                                     std::optional<duration> timeout,
                                     duration interval = look_interval);

  /// Waits likewise, and calls `f` with each as it ends: its place, its result.
  /// @returns false when `timeout` has passed. What `f` throws ends it.
  expected<bool>
  each(std::span<const task_id> ids, std::optional<duration> timeout,
       const std::function<void(size_t, const task_result&)>& f,
       duration interval = look_interval);

  /// What the store knows now; nothing for an id that it does not know.
  expected<std::optional<task_result>> look(const task_id& id);

  /// Writes what is known of groups; reads it, and deletes it.
  expected<void> keep(std::span<const group_record> groups);
  expected<std::optional<std::string>> fetch_group(const std::string& id);
  expected<void> forget_group(const std::string& id);

  /// Deletes the result.
  expected<void> forget(const task_id& id);

private:
  using lock = std::unique_lock<std::mutex>;
  using clock = std::chrono::steady_clock;
  using moment = clock::time_point;

  struct entry {
    size_t waiting = 0; ///< threads
    std::optional<task_result> result;
  };

  /// Runs `f` with the connections, alone. Ends a `listen` in progress.
  template <class F>
  auto alone(lock& held, F&& f);

  expected<void> connect();
  void disconnect();
  expected<std::optional<task_result>> fetch(const task_id& id);
  expected<void> watch(lock& held, std::span<const task_id> ids);
  void unwatch(lock& held, std::span<const task_id> ids);
  expected<void> listen(lock& held, duration pause);
  /// When somebody has to look, and until when he waits.
  struct patience {
    moment end;
    duration interval;
    moment next_look = clock::now();
  };

  /// Waits for something to happen. @returns false when it is too late
  expected<bool> step(lock& held, std::span<const task_id> ids, patience& how);
  expected<void> look_for_missing(lock& held, std::span<const task_id> ids);
  error keeps_no_groups() const;
  const task_result* result_of(const task_id& id) const;

  opener open_;
  serializer how_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool busy_ = false; ///< somebody uses the connections
  size_t wanted_ = 0; ///< how many others want to
  std::unique_ptr<result_listener> listener_; // null: not connected
  std::unique_ptr<result_store> store_;
  std::unordered_map<task_id, entry> watched_;
};

/// The way to a result store.
result_hub::opener result_opener(std::string url, result_store_options options);

} // namespace umbel
