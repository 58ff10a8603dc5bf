// The runtime that works: one thread's timers and sockets, on Boost.Asio.
#pragma once

#include "protocol/task/runtime.hpp"

namespace umbel {

/// Belongs to the thread that calls `run`; starts no thread of its own.
class event_loop final : public runtime {
public:
  event_loop();

  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  /// What was posted and not run is destroyed.
  ~event_loop() override;

  /// Runs what is posted and what is due, until `stop`.
  void run();

  /// Ends `run`, or the next one. From any thread.
  void stop();

  void post(std::function<void()> f) override;
  time_point now() const override;
  std::unique_ptr<operation> at(time_point when,
                                std::function<void()> f) override;

private:
  struct implementation;

  std::unique_ptr<implementation> impl_;
};

} // namespace umbel
