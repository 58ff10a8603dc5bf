// The thread of the cooperative pool.
#pragma once

#include "protocol/task/event_loop.hpp"

#include <thread>

namespace umbel {

/// Runs an event loop as long as this object lives. No signal comes to it.
class loop_thread {
public:
  loop_thread();

  /// Runs what was posted before, then waits for the thread.
  ~loop_thread();

  event_loop& loop() noexcept {
    return loop_;
  }

private:
  event_loop loop_;
  std::thread thread_;
};

} // namespace umbel
