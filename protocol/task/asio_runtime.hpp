// The runtime that works: one thread's timers and sockets, on Boost.Asio.
#pragma once

#include "protocol/task/runtime.hpp"
#include "protocol/task/task_caller.hpp"

namespace umbel {

/// Belongs to the thread that calls `run`; starts no thread of its own, but
/// Asio does for the first host name that is looked up.
class asio_runtime final : public runtime {
public:
  /// @param caller has other tasks run, and outlives this object; null if
  ///               nobody can
  explicit asio_runtime(task_caller* caller = nullptr);

  asio_runtime(const asio_runtime&) = delete;
  asio_runtime& operator=(const asio_runtime&) = delete;

  /// What was posted and not run is destroyed.
  ~asio_runtime() override;

  /// Runs what is posted and what is due, until `stop`.
  void run();

  /// Ends `run`, or the next one. From any thread.
  void stop();

  void post(std::function<void()> f) override;
  time_point now() const override;
  std::unique_ptr<operation> at(time_point when,
                                std::function<void()> f) override;
  std::unique_ptr<operation>
  send(http_request request,
       std::function<void(expected<http_response>)> f) override;
  std::unique_ptr<operation>
  call(task_id id, outgoing_message message,
       std::function<void(expected<std::string>)> f) override;
  expected<std::vector<std::string>> ask(question x) override;

private:
  struct implementation;

  std::shared_ptr<implementation> impl_;
  task_caller* caller_;
};

} // namespace umbel
