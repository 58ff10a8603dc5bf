// The thread of the cooperative pool.
#pragma once

#include "protocol/task/asio_runtime.hpp"

#include <thread>

namespace umbel {

/// Runs coroutines as long as this object lives. No signal comes to it.
class runtime_thread {
public:
  /// @param caller has other tasks run; outlives this object
  explicit runtime_thread(task_caller& caller);

  /// Runs what was posted before, then waits for the thread.
  ~runtime_thread();

  asio_runtime& get() noexcept {
    return runtime_;
  }

private:
  asio_runtime runtime_;
  std::thread thread_;
};

} // namespace umbel
