// Runs tasks: from the message to the outcome. Used by child processes and by
// pools inside of the worker; knows no sockets and no threads.
//
//  1. decodes the message;
//  2. finds the task, matches the arguments, calls it;
//  3. writes the document of its end, and the messages that follow from it.
#pragma once

#include "protocol/backend/document.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/task/context.hpp"
#include "protocol/task/interruption.hpp"
#include "protocol/task/outcome.hpp"
#include "protocol/task/registry.hpp"
#include "protocol/task/settings.hpp"
#include "protocol/task/state_sink.hpp"

#include <cstdint>
#include <exception>
#include <random>
#include <string_view>

namespace umbel {

/// One for each thread that runs tasks; the registry is shared.
class task_runner {
public:
  /// @pre `tasks` outlives the runner and does not change any more
  task_runner(const registry& tasks, runner_settings settings);

  /// Runs one task to its end. Every error is an outcome.
  /// @param job the parent's number for this run, not 0
  /// @param payload envelope as JSON text
  outcome run(uint64_t job, std::string_view payload, state_sink& sink);

  /// Asks the task to stop: soft_time_limit_exceeded at its next checkpoint.
  /// From any thread and from signal handlers; does nothing if `job` does not
  /// run.
  void interrupt(uint64_t job) noexcept {
    stop_.request(job);
  }

private:
  struct call; // one run: message, task, sink

  outcome run_message(const call& x);
  outcome expired(const call& x);
  void started(const call& x);
  outcome succeeded(const call& x, json::value result);
  outcome failed(const call& x, const std::exception_ptr& cause);
  outcome failed_with(const call& x, const exception_info& info);
  outcome again(const call& x, const umbel::retry& how);
  outcome threw(const call& x, context& self, const std::exception_ptr& cause);
  bool ignores_result(const call& x) const;
  bool stores_errors(const call& x) const;
  retry_options backoff(const call& x, const std::exception_ptr& cause);

  const registry& tasks_;
  runner_settings settings_;
  interruption stop_;
  std::mt19937_64 random_;
};

} // namespace umbel
