// What a task's author has called around the runs of one task (Celery's
// handlers), and what the tasks of a library, and the library itself, tell
// (Celery's signals).
//
// They are called by the process and thread that runs the task. What they throw
// is logged and changes nothing, but for before_start: that is a part of the
// run. What they start with `self.start` goes out with the outcome, whatever it
// is.
#pragma once

#include "protocol/backend/document.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace umbel {

class context;
struct task_call;

/// Handlers of one task; each may be empty.
struct task_hooks {
  using state_handler = std::function<void(context&, std::string_view state,
                                           const json::value& result)>;
  using failure_handler = std::function<void(context&, const exception_info&)>;

  std::function<void(context&)> before_start;
  std::function<void(context&, const json::value& result)> on_success;
  failure_handler on_failure;
  failure_handler on_retry;
  state_handler after_return;
};

/// A list of functions, to be called in the order in which they were connected.
template <class... Ts>
class signal {
public:
  using handler = std::function<void(Ts...)>;

  void connect(handler f) {
    handlers_.push_back(std::move(f));
  }

  const std::vector<handler>& handlers() const noexcept {
    return handlers_;
  }

private:
  std::vector<handler> handlers_;
};

/// Celery's signals, those that are heard where task libraries live.
struct task_signals {
  // -- of the process: without a task -------------------------------------------

  /// The libraries of this process are loaded. With -P prefork that is the fork
  /// server: its children inherit what was done. (A child that was started in
  /// another way has loaded them itself.) With the other pools it is the worker.
  signal<> worker_init;

  /// This process is about to run tasks: each child, once; with pools that have
  /// no child processes, the worker.
  signal<> worker_process_init;

  /// This process has run its last task. Not told to one that is killed.
  signal<> worker_process_shutdown;

  /// The process in which `worker_init` was told ends in an orderly way, after its
  /// children. Not told if the worker is killed.
  signal<> worker_shutdown;

  /// A message of a task is about to be made here, by whatever task: its headers may
  /// be changed. Not told of bodies of chords, which the broker publishes, nor of
  /// retries.
  signal<task_call&> before_task_publish;

  // -- of a run, to the process that runs it ------------------------------------

  signal<context&> task_prerun;

  /// @see task_hooks::after_return; also after a retry, and where the task ends
  /// by reject or ignore: states RETRY, REJECTED, IGNORED
  signal<context&, std::string_view, const json::value&> task_postrun;

  signal<context&, const json::value&> task_success;
  signal<context&, const exception_info&> task_failure;
  signal<context&, const exception_info&> task_retry;
};

/// Calls all, each whatever the others do.
/// @param complain gets a line for each that has thrown
void tell_process(const signal<>& what, const char* name,
                  const std::function<void(const std::string&)>& complain);

/// How a run has ended, for those who are told.
struct run_end {
  std::string_view state; ///< SUCCESS, FAILURE, RETRY, REJECTED, IGNORED
  json::value result;     ///< SUCCESS: what was returned
  exception_info why;     ///< FAILURE, RETRY
};

/// What is told of one run.
class run_hooks {
public:
  /// @pre all outlive it
  run_hooks(const task_hooks& task, const task_signals& signals, context& self)
      : task_(task), signals_(signals), self_(self) {
  }

  /// @throws what `before_start` throws
  void begin();

  /// Does nothing if it has not begun.
  void end(const run_end& x);

private:
  template <class... Ts, class... Us>
  void tell(const char* name, const signal<Ts...>& what, const Us&... xs);

  template <class... Ts, class... Us>
  void tell(const char* name, const std::function<void(Ts...)>& f,
            const Us&... xs);

  const task_hooks& task_;
  const task_signals& signals_;
  context& self_;
  bool begun_ = false;
};

} // namespace umbel
