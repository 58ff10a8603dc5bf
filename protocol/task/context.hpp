// The request that a task serves: `self` of Celery's bound tasks.
//
// A task gets it by taking `umbel::context&` as a parameter. It lives until the
// run has ended, that of a coroutine too, and belongs to the thread that runs
// it.
#pragma once

#include "protocol/canvas/applier.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/task/bounded_sleep.hpp"
#include "protocol/task/exceptions.hpp"
#include "protocol/task/interruption.hpp"
#include "protocol/task/options.hpp"
#include "protocol/task/runtime.hpp"
#include "protocol/task/settings.hpp"
#include "protocol/task/state_sink.hpp"
#include "protocol/task/to_json.hpp"

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbel {

/// How to retry; Celery's names. `exc` is the cause: it is shown as the state's
/// result, and thrown in place of max_retries_exceeded when retries are used up
/// (`std::current_exception()` in a handler).
struct retry_options {
  std::optional<std::chrono::duration<double>> countdown = {};
  std::optional<timestamp> eta = {};
  std::optional<int> max_retries = {};
  std::exception_ptr exc = {};
  std::optional<json::array> args = {};
  std::optional<json::object> kwargs = {};
};

class registry;

class context {
public:
  // -- constructors, destructors (by the runner) ------------------------------

  context(uint64_t job, const task_message& message,
          const task_options& options, const runner_settings& settings,
          state_sink& sink, interruption& stop, runtime& where,
          const registry& tasks);

  context(const context&) = delete;
  context& operator=(const context&) = delete;

  // -- the request ------------------------------------------------------------

  const std::string& id() const noexcept {
    return message_.header.id.str();
  }

  /// Registered name: "tasks.add".
  const std::string& task() const noexcept {
    return message_.header.task;
  }

  int64_t retries() const noexcept {
    return message_.header.retries;
  }

  const json::array& args() const noexcept {
    return message_.args;
  }

  const json::object& kwargs() const noexcept {
    return message_.kwargs;
  }

  /// All headers of the message, also those of the caller's own.
  const json::object& headers() const noexcept {
    return message_.headers;
  }

  /// One of them, such as the caller's own: `apply_async(headers={"tenant": "acme"})`.
  /// Null if there is none.
  json::value header(std::string_view name) const {
    auto* x = message_.headers.if_contains(name);
    return x ? *x : json::value{};
  }

  /// The node that runs this: "celery@host".
  const std::string& hostname() const noexcept {
    return settings_.node;
  }

  /// exchange, routing_key, priority, redelivered.
  json::object delivery_info() const;

  bool redelivered() const noexcept {
    return message_.header.redelivered;
  }

  const std::string& root_id() const noexcept {
    return message_.header.root_id;
  }

  const std::string& parent_id() const noexcept {
    return message_.header.parent_id;
  }

  const std::string& group() const noexcept {
    return message_.header.group;
  }

  const std::optional<timestamp>& eta() const noexcept {
    return message_.header.eta;
  }

  const std::optional<timestamp>& expires() const noexcept {
    return message_.header.expires;
  }

  const std::string& reply_to() const noexcept {
    return message_.header.reply_to;
  }

  std::string correlation_id() const;

  /// Always false: a task that is called as a plain function has no context.
  bool called_directly() const noexcept {
    return false;
  }

  const task_options& options() const noexcept {
    return options_;
  }

  const task_message& message() const noexcept {
    return message_;
  }

  // -- what a task may do -----------------------------------------------------

  /// Stores a state of the task's own, with data for `AsyncResult.info`:
  /// `self.update_state("PROGRESS", {{"current", 3}, {"total", 10}})`.
  /// @throws std::length_error beyond `outcome_bytes_max`
  void update_state(std::string_view state, json::value meta);

  template <class T>
  void update_state(std::string_view state, const T& meta) {
    update_state(state, json::value(to_json_value(meta)));
  }

  /// Tells monitors something of this task: Celery's `send_event`. It is sent
  /// while task events are off, too.
  /// `self.send_event("task-progress", {{"current", 3}, {"total", 10}})`
  /// @param type   "task-..." for those who keep a picture of tasks
  /// @param fields `uuid` is added
  /// @throws std::invalid_argument for a type that is empty or longer than 255
  ///         bytes; std::length_error for fields beyond `outcome_bytes_max`
  void send_event(std::string_view type, json::object fields = {});

  /// Whether somebody has asked for the end of this task: Python's
  /// `AbortableAsyncResult(id).abort()`. Looks into the result store, so ask
  /// between pieces of work of some milliseconds, not in a tight loop; it holds up
  /// the thread meanwhile.
  /// @throws umbel::exception (OperationalError) if it cannot be read
  bool is_aborted();

  /// What the result store has of these tasks, in this order; null for those of
  /// which nothing is stored. @throws as `is_aborted`
  std::vector<json::value> fetch(const std::vector<task_id>& ids);

  /// Ends this run; the task runs again after the countdown, or after
  /// `default_retry_delay`. @throws umbel::retry; if retries are used up, the
  /// cause, or max_retries_exceeded
  [[noreturn]] void retry(retry_options how = {});

  /// Ends this run and refuses the message.
  [[noreturn]] void reject(std::string reason, bool requeue = false);

  /// Ends this run and leaves the task's state as it is.
  [[noreturn]] void ignore();

  /// Makes `call` a child of this task, and its message: it goes where the options
  /// say, Celery's names, else where tasks of its name go.
  /// @throws umbel::exception QueueNotFound (celery.exceptions)
  outgoing_message adopt(task_call& call, const json::object& options) const;

  /// What was sent in another way is a child of this task, too: Celery's
  /// `add_trail`. @param result its result tuple
  void add_child(json::value result) {
    started_.children.push_back(std::move(result));
  }

  /// Has a task or a workflow run, as a child of this task: its messages are
  /// published in the same step as this task's result, if it does not fail.
  /// @param first partial arguments, which come before its own
  /// @returns Celery's result tuple, `[[id, parent], children]`
  /// @throws umbel::exception for one that is not complete
  json::value start(canvas::signature x, const json::array& first = {});

  /// Ends this run and has another task or workflow take its place: under its id,
  /// with its callbacks, its place in its chain, group and chord. Of a group, the
  /// list of its results becomes the result.
  /// @throws umbel::ignore; umbel::exception for a signature that is not complete
  [[noreturn]] void replace(canvas::signature x);

  /// Has a task or a workflow become one more part of the chord that this task is a
  /// part of: the body waits for it, and gets its result beside this task's own. It is
  /// published, and counted, in the same step as this task's result, if this does not
  /// fail. @returns as `start`
  /// @throws umbel::exception: ValueError if there is no chord,
  ///         NotImplementedError if the result store does not count
  json::value add_to_chord(canvas::signature x);

  /// The same for one that is started otherwise: by `start`, by `replace`, or as what
  /// follows from one of these. The body waits for it. Whoever sends it before this
  /// task has ended by other means may be counted too early.
  canvas::signature add_to_chord_lazily(canvas::signature x);

  /// What was started. (The runner asks.)
  canvas::application& started() noexcept {
    return started_;
  }

  /// What else is to be stored with the task's success. (Built-in tasks use it.)
  workflow_steps& steps() noexcept {
    return steps_;
  }

  const runner_settings& settings() const noexcept {
    return settings_;
  }

  /// The tasks of this process.
  const registry& tasks() const noexcept {
    return tasks_;
  }

  /// The parent's number for this run.
  uint64_t job() const noexcept {
    return job_;
  }

  /// Where its states, events and lines go.
  state_sink& sink() const noexcept {
    return sink_;
  }

  /// Throws soft_time_limit_exceeded when that limit is over, once.
  void checkpoint();

  /// Sleeps, but no longer than until then.
  void sleep_until(std::chrono::steady_clock::time_point deadline);

  void log(uint8_t level, std::string_view text);

  /// The context of the task that this thread runs, or null.
  static context* current() noexcept;

  /// While it lives, `self` is this thread's current context.
  class scope {
  public:
    explicit scope(context& self) noexcept;
    ~scope();

    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;

  private:
    context* const outer_;
  };

private:
  static void check_signature(const canvas::signature& x);
  json::value join_chord(canvas::signature& x);

  const uint64_t job_;
  const task_message& message_;
  const task_options& options_;
  const runner_settings& settings_;
  state_sink& sink_;
  interruption& stop_;
  runtime& where_;
  const registry& tasks_;
  canvas::application started_;
  workflow_steps steps_;
  size_t joined_ = 0; ///< how often something was added to the chord
};

// -- for tasks that take no context; outside of a task they do the plain thing
// ----

/// Throws soft_time_limit_exceeded when that limit is over. Call it in loops.
void checkpoint();

namespace this_thread {

/// Blocks the thread until then, or until the soft time limit is over. In a
/// coroutine it holds up all others of its thread: co_await umbel::sleep_for.
void sleep_until(std::chrono::steady_clock::time_point deadline);

template <class Rep, class Period>
void sleep_for(std::chrono::duration<Rep, Period> time) {
  sleep_until(std::chrono::steady_clock::now() + bounded_sleep(time));
}

} // namespace this_thread

} // namespace umbel
