// Broadcasts within this process.
#pragma once

#include "protocol/broker/subscription.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace umbel {

/// What one who listens has not read yet. Any thread may use it.
class memory_mailbox {
public:
  /// More than that, and the oldest go: whoever falls so far behind misses some.
  static constexpr size_t waiting_max = 10'000;

  void put(const broadcast& x);
  std::optional<broadcast> take(std::chrono::milliseconds timeout);
  void close();

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<broadcast> waiting_;
  bool closed_ = false;
};

/// Cannot fail.
std::unique_ptr<subscription> subscribe_memory(const std::string& url,
                                               const broker_options& options,
                                               const std::string& exchange,
                                               const std::string& pattern);

} // namespace umbel
