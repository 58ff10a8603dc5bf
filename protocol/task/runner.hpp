// Runs tasks: from the message to the outcome. Used by child processes and by
// pools inside of the worker; knows no sockets and no threads.
//
//  1. decodes the message;
//  2. finds the task, matches the arguments, calls it, and drives it to its end
//     if it is a coroutine;
//  3. writes the document of its end, and the messages that follow from it.
#pragma once

#include "protocol/backend/document.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/task/context.hpp"
#include "protocol/task/asio_runtime.hpp"
#include "protocol/task/interruption.hpp"
#include "protocol/task/outcome.hpp"
#include "protocol/task/registry.hpp"
#include "protocol/task/settings.hpp"
#include "protocol/task/state_sink.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace umbel {

/// Runs one task at a time; the registry is shared.
class task_runner {
public:
  using end_handler = std::function<void(outcome)>;

  /// For a thread of its own, with an event loop for coroutines.
  /// @param caller has other tasks run; null if nobody can
  /// @pre `tasks` and `caller` outlive the runner; `tasks` does not change any
  /// more
  task_runner(const registry& tasks, runner_settings settings,
              task_caller* caller = nullptr);

  /// One of many on the thread of `where`, which outlives it.
  task_runner(const registry& tasks, runner_settings settings, runtime& where);

  task_runner(const task_runner&) = delete;
  task_runner& operator=(const task_runner&) = delete;

  /// On the runtime's thread. Gives up what runs.
  ~task_runner();

  /// Runs one task to its end on this thread. Every error is an outcome.
  /// @param job the parent's number for this run, not 0
  /// @param payload envelope as JSON text
  /// @pre made for a thread of its own
  outcome run(uint64_t job, std::string_view payload, state_sink& sink);

  /// Begins to run one task, on the runtime's thread.
  /// @param sink outlives the run
  /// @returns its outcome, or nothing if it is a coroutine that waits: then
  ///          `on_end` is called, on the same thread, when it has ended
  /// @pre nothing runs
  std::optional<outcome> start(uint64_t job, std::string_view payload,
                               state_sink& sink, end_handler on_end);

  /// Asks the task to stop: soft_time_limit_exceeded at its next checkpoint, or
  /// where it waits. From any thread; does nothing if `job` does not run.
  void interrupt(uint64_t job);

  /// Gives up a coroutine that waits, on the runtime's thread: it is told by
  /// umbel::cancelled, its end_handler is not called.
  void cancel();

private:
  struct call; // one run: message, task, sink

  void complete_calls();
  std::optional<outcome> begin(call& x, end_handler on_end);
  outcome end(outcome x);
  void tell_end(call& x, outcome& to);
  std::exception_ptr interruption_of_task();
  void interrupt_wait();
  outcome revoked(const call& x, const std::string& why);
  void started(const call& x);
  outcome succeeded(call& x, json::value result);
  outcome failed(call& x, const std::exception_ptr& cause);
  outcome failed_with(call& x, const exception_info& info);
  void tell_problems(const call& x, const std::vector<std::string>& problems);
  outcome again(call& x, const umbel::retry& how);
  outcome threw(call& x, const std::exception_ptr& cause);
  bool ignores_result(const call& x) const;
  bool stores_errors(const call& x) const;
  retry_options backoff(const call& x, const std::exception_ptr& cause);

  const registry& tasks_;
  runner_settings settings_;
  std::unique_ptr<asio_runtime> own_; ///< null for one of many
  runtime& where_;
  interruption stop_;
  std::atomic<bool> look_posted_ = false; ///< `interrupt_wait` is to be called
  std::unique_ptr<call> current_;
  /// For posted functions, which may come when the runner is gone.
  std::shared_ptr<task_runner*> self_;
};

} // namespace umbel
