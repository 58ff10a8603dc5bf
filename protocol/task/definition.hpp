// One task: its function and its options.
#pragma once

#include "protocol/task/arg.hpp"
#include "protocol/task/callable.hpp"
#include "protocol/task/hooks.hpp"
#include "protocol/task/options.hpp"
#include "protocol/task/unique_rule.hpp"

#include <chrono>
#include <exception>
#include <string>
#include <type_traits>
#include <vector>

namespace umbel {

/// What `registry::task` returns. The setters have the names of Celery's
/// options and can be chained:
/// `app.task("shop.charge", charge, "order").acks_late().max_retries(5);`
class task_definition {
public:
  using duration = std::chrono::duration<double>;

  /// @param takes_failure see `task_options`
  /// @param parameters    those that have names, in the function's order
  task_definition(std::string name, task_function run,
                  bool takes_failure = false, std::vector<arg> parameters = {});

  const std::string& name() const noexcept {
    return options_.name;
  }

  const task_options& options() const noexcept {
    return options_;
  }

  task_call_result run(context& self, const json::array& args,
                       const json::object& kwargs) const {
    return run_(self, args, kwargs);
  }

  /// Whether this exception shall lead to a retry. @pre x is not null
  bool retries_on(const std::exception_ptr& x) const;

  /// Whether it is one that the task is known to throw. @pre x is not null
  bool expects(const std::exception_ptr& x) const;

  const task_hooks& hooks() const noexcept {
    return hooks_;
  }

  // -- acknowledgement --------------------------------------------------------

  /// Acknowledge after the run instead of before it: a task whose worker dies
  /// is run again.
  task_definition& acks_late(bool x = true);

  /// With acks_late: also acknowledge when it failed (default true).
  task_definition& acks_on_failure_or_timeout(bool x = true);

  /// With acks_late: put it back on the queue if its child process dies.
  task_definition& reject_on_worker_lost(bool x = true);

  // -- results ----------------------------------------------------------------

  task_definition& ignore_result(bool x = true);
  task_definition& store_errors_even_if_ignored(bool x = true);

  /// Store the state STARTED when it begins.
  task_definition& track_started(bool x = true);

  // -- limits -----------------------------------------------------------------

  task_definition& time_limit(duration x);
  task_definition& soft_time_limit(duration x);

  /// Begin no more often than "10/s", "100/m" or "1000/h"; "0/s": no limit,
  /// whatever the worker's default.
  /// @throws std::invalid_argument if it is none of these
  task_definition& rate_limit(const std::string& x);

  /// Count the runs of all workers together instead of each worker's own.
  task_definition& rate_limit_scope(umbel::rate_scope x);

  /// Limit the messages with each value of this header for themselves:
  /// `apply_async(args, headers={"tenant": "acme"})`.
  task_definition& rate_limit_key(const std::string& header);

  // -- unique tasks: see README.md ----------------------------------------------

  /// While one of these tasks waits or runs there is to be no second one with the same
  /// values of these arguments; of all, if none are named.
  /// @throws std::invalid_argument for one that the task does not have
  template <class... Names>
  task_definition& unique_key(const Names&... arguments) {
    return unique_by({std::string{arguments}...});
  }

  /// Longest time for which it holds its key (default an hour).
  task_definition& unique_for(duration x);

  /// It holds its key only until it begins.
  task_definition& unique_until_start(bool x = true);

  /// Says in the headers of a call of this task that it is unique, if it is.
  void add_unique_headers(task_call& x) const;

  // -- retries ----------------------------------------------------------------

  task_definition& max_retries(int x);

  /// Retry for ever: Celery's max_retries=None.
  task_definition& unlimited_retries();

  task_definition& default_retry_delay(duration x);

  /// Retry by itself when one of these types is thrown.
  template <class... Ts>
  task_definition& autoretry_for() {
    (autoretry_for_.push_back(&is_a<Ts>), ...);
    return *this;
  }

  /// But not for these.
  template <class... Ts>
  task_definition& dont_autoretry_for() {
    (dont_autoretry_for_.push_back(&is_a<Ts>), ...);
    return *this;
  }

  /// Wait factor * 2^retries instead of default_retry_delay.
  task_definition&
  retry_backoff(std::chrono::seconds factor = std::chrono::seconds{1});
  task_definition& retry_backoff(bool x);
  task_definition& retry_backoff_max(std::chrono::seconds x);

  /// Wait a random time up to the backoff's (default true).
  task_definition& retry_jitter(bool x = true);

  // -- exceptions ---------------------------------------------------------------

  /// These are expected: the task fails as with any other, but the log says so
  /// in one line, at level INFO.
  template <class... Ts>
  task_definition& throws() {
    (throws_.push_back(&is_a<Ts>), ...);
    return *this;
  }

  // -- handlers: see task_hooks -------------------------------------------------

  /// Called before each run; what it throws is the end of the run.
  task_definition& before_start(std::function<void(context&)> f);

  task_definition&
  on_success(std::function<void(context&, const json::value& result)> f);

  /// Not called where no process is left to do so: when it died, or was killed
  /// at the hard time limit.
  task_definition& on_failure(task_hooks::failure_handler f);

  /// @param f gets what `retry` was given as its cause, or celery's Retry
  task_definition& on_retry(task_hooks::failure_handler f);

  /// Called after SUCCESS and FAILURE, after the handler for that.
  /// @param f gets the state, and the result or the exception's document
  task_definition& after_return(task_hooks::state_handler f);

private:
  using matcher = bool (*)(const std::exception_ptr&);

  template <class T>
  static bool is_a(const std::exception_ptr& x) {
    try {
      std::rethrow_exception(x);
    } catch (const T&) {
      return true;
    } catch (...) {
      return false;
    }
  }

  task_definition& unique_by(std::vector<std::string> arguments);

  task_options options_;
  task_function run_;
  std::vector<arg> parameters_;
  unique_rule unique_;
  std::vector<size_t> unique_by_; ///< positions of parameters
  std::vector<matcher> autoretry_for_;
  std::vector<matcher> dont_autoretry_for_;
  std::vector<matcher> throws_;
  task_hooks hooks_;
};

} // namespace umbel
