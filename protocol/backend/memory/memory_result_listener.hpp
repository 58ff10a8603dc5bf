// Results of `memory://name` as they come.
#pragma once

#include "protocol/backend/result_listener.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_set>

namespace umbel {

/// Connects to the table that the URL names. Cannot fail.
std::unique_ptr<result_listener>
connect_memory_result_listener(const std::string& url,
                               const result_store_options& options);

/// What a listener has subscribed to and has not been told yet. Thread-safe.
class result_mailbox {
public:
  void subscribe(std::span<const task_id> ids);
  void unsubscribe(std::span<const task_id> ids);

  /// Keeps it if it is subscribed to.
  void put(const result_record& x);

  std::vector<result_record> wait(std::chrono::milliseconds timeout);
  void interrupt();

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_set<task_id> ids_;
  std::vector<result_record> arrived_;
  bool interrupted_ = false;
};

} // namespace umbel
