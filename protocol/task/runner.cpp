#include "protocol/task/runner.hpp"

#include "protocol/task/backoff.hpp"
#include "protocol/task/chord_parts.hpp"
#include "protocol/task/coroutine.hpp"
#include "protocol/task/describe_exception.hpp"
#include "protocol/task/earlier_result.hpp"
#include "protocol/task/follow_ups.hpp"
#include "protocol/task/inline_errback.hpp"
#include "protocol/task/next_run.hpp"
#include "protocol/task/task_meta.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <stdexcept>
#include <utility>

#include <unistd.h>

namespace umbel {

using clock = std::chrono::steady_clock;

struct task_runner::call {
  call(uint64_t job, task_message&& received, const task_definition& task,
       const registry& tasks, state_sink& sink,
       const runner_settings& settings, interruption& stop, runtime& where)
      : job(job), message(std::move(received)), task(task), sink(sink),
        self(job, message, task.options(), settings, sink, stop, where,
             tasks),
        hooks(task.hooks(), tasks.signals(), self) {
  }

  const uint64_t job;
  const task_message message;
  const task_definition& task;
  state_sink& sink;
  const clock::time_point since = clock::now();
  context self;
  run_hooks hooks;
  run_end how_ended; ///< for the hooks
  std::optional<coroutine> body; ///< unless it is a plain function

  /// How log lines and tracebacks name the run.
  std::string name() const {
    return fmt::format("{}[{}]", message.header.task, message.header.id.str());
  }
};

namespace {

// Levels of the log.
constexpr uint8_t info_level = 2;
constexpr uint8_t error_level = 4;

size_t bytes_of(const outcome& x) {
  auto to = x.document.size();
  for (auto& message : x.publish)
    to += message.payload.size();
  for (auto& part : x.workflow.parts)
    for (auto& message : part.body)
      for (auto& piece : message.payload)
        to += piece.size();
  return to;
}

} // namespace

task_runner::task_runner(const registry& tasks, runner_settings settings,
                         task_caller* caller)
    : tasks_(tasks), settings_(std::move(settings)),
      own_(std::make_unique<asio_runtime>(caller)), where_(*own_),
      self_(std::make_shared<task_runner*>(this)) {
  complete_calls();
}

task_runner::task_runner(const registry& tasks, runner_settings settings,
                         runtime& where)
    : tasks_(tasks), settings_(std::move(settings)), where_(where),
      self_(std::make_shared<task_runner*>(this)) {
  complete_calls();
}

void task_runner::complete_calls() {
  settings_.complete = [this](task_call& x) {
    if (settings_.keeps_unique_keys)
      tasks_.add_unique_headers(x);
    for (auto& f : tasks_.signals().before_task_publish.handlers())
      try {
        f(x);
      } catch (...) {
        auto why = describe_exception(std::current_exception(), {});
        if (current_)
          current_->self.log(
              error_level,
              fmt::format("Task {}: before_task_publish raised {}",
                          current_->name(), why.repr()));
      }
  };
}

task_runner::~task_runner() {
  cancel();
}

outcome task_runner::run(uint64_t job, std::string_view payload,
                         state_sink& sink) {
  std::optional<outcome> result;
  result = start(job, payload, sink, [&](outcome x) {
    result = std::move(x);
    own_->stop();
  });
  if (!result)
    own_->run();
  return std::move(*result);
}

std::optional<outcome> task_runner::start(uint64_t job,
                                          std::string_view payload,
                                          state_sink& sink,
                                          end_handler on_end) {
  auto message = parse_task_message(payload, settings_.content);
  if (!message) {
    outcome refused;
    refused.job = job;
    refused.kind = outcome_kind::malformed;
    refused.summary = message.error().what;
    return refused;
  }
  // The parent hands out what the first child offered, so it takes a library
  // that changed since then for a task not to be found.
  static const task_definition nothing{"", {}};
  auto* found = tasks_.find(message->header.task);
  current_ =
      std::make_unique<call>(job, std::move(*message), found ? *found : nothing,
                             tasks_, sink, settings_, stop_, where_);
  auto& x = *current_;
  if (!found)
    return end(failed_with(x, not_registered(x.message.header.task)));
  // Checked when it was received; since then it may have waited for long.
  if (auto& expires = x.message.header.expires; expires && *expires <= now())
    return end(revoked(x, "expired"));
  if (auto result = earlier_result(x.message, x.task.options(), settings_, where_)) {
    x.sink.log(job, info_level,
               fmt::format("Task {} has succeeded before: it is not run again",
                           x.name()));
    return end(succeeded(x, std::move(*result)));
  }
  auto result = begin(x, std::move(on_end));
  if (result)
    result = end(std::move(*result));
  return result;
}

std::optional<outcome> task_runner::begin(call& x, end_handler on_end) {
  stop_.begin(x.job);
  try {
    started(x);
    context::scope active{x.self};
    x.hooks.begin();
    auto result = x.task.run(x.self, x.message.args, x.message.kwargs);
    if (auto* value = std::get_if<json::value>(&result)) {
      stop_.end();
      return succeeded(x, std::move(*value));
    }
    x.body.emplace(std::get<awaitable<json::value>>(std::move(result)), x.self,
                   where_, [this] { return interruption_of_task(); });
    auto conclude = [this, &x] {
      stop_.end();
      try {
        return succeeded(x, x.body->take());
      } catch (...) {
        return threw(x, std::current_exception());
      }
    };
    if (x.body->start([this, conclude, on_end = std::move(on_end)] {
          on_end(end(conclude()));
        }))
      return conclude();
    return std::nullopt;
  } catch (...) {
    stop_.end();
    return threw(x, std::current_exception());
  }
}

/// What is started from now on goes out whatever the outcome: it is its hooks'.
void task_runner::tell_end(call& x, outcome& to) {
  x.hooks.end(x.how_ended);
  auto& started = x.self.started();
  std::ranges::move(started.publish, std::back_inserter(to.publish));
  std::ranges::move(started.groups, std::back_inserter(to.workflow.groups));
}

outcome task_runner::end(outcome x) {
  tell_end(*current_, x);
  x.job = current_->job;
  x.runtime = std::chrono::duration_cast<std::chrono::microseconds>(
      clock::now() - current_->since);
  current_.reset();
  return x;
}

void task_runner::interrupt(uint64_t job) {
  stop_.request(job);
  // One at a time: while only plain functions run, nobody takes it.
  if (look_posted_.exchange(true))
    return;
  where_.post([self = std::weak_ptr{self_}] {
    if (auto alive = self.lock())
      (*alive)->interrupt_wait();
  });
}

void task_runner::interrupt_wait() {
  look_posted_.exchange(false); // reads what an `interrupt` before it wrote
  if (!current_ || !current_->body)
    return;
  if (auto why = interruption_of_task())
    current_->body->interrupt(why);
}

std::exception_ptr task_runner::interruption_of_task() {
  if (!stop_.consume())
    return nullptr;
  return std::make_exception_ptr(soft_time_limit_exceeded{});
}

void task_runner::cancel() {
  if (!current_)
    return;
  stop_.end();
  if (current_->body)
    current_->body->cancel();
  current_.reset();
}

outcome task_runner::revoked(const call& x, const std::string& why) {
  outcome to;
  to.kind = outcome_kind::revoked;
  to.summary = why;
  auto next = after_revocation(x.message, task_revoked(why), settings_);
  tell_problems(x, next.problems);
  to.workflow = std::move(next.workflow);
  if (stores_errors(x)) {
    auto document = make_meta(x.message, settings_, "REVOKED");
    document.result = to_json_object(task_revoked(why));
    to.document = to_document(document, settings_.result_serializer);
  }
  return to;
}

void task_runner::started(const call& x) {
  auto tracked =
      x.task.options().track_started.value_or(settings_.task_track_started);
  if (!tracked || ignores_result(x))
    return;
  auto document = make_meta(x.message, settings_, "STARTED");
  document.result =
      json::object{{"pid", getpid()}, {"hostname", settings_.node}};
  x.sink.state(x.job, to_document(document, settings_.result_serializer));
}

outcome task_runner::succeeded(call& x, json::value result) {
  outcome to;
  to.kind = outcome_kind::success;
  to.summary = python_repr(result);
  follow_ups next;
  try {
    next = after_success(x.message, result, settings_,
                         std::exchange(x.self.started(), {}));
  } catch (...) {
    // It has done its work: it is not retried because of what cannot follow.
    x.self.steps() = {};
    return failed(x, std::current_exception());
  }
  to.publish = std::move(next.publish);
  to.workflow = std::move(next.workflow);
  auto& steps = x.self.steps();
  std::ranges::move(steps.results, std::back_inserter(to.workflow.results));
  std::ranges::move(steps.parts, std::back_inserter(to.workflow.parts));
  tell_problems(x, next.problems);
  if (auto gap = uncounted_chord(x.message, settings_); !gap.empty())
    tell_problems(x, {gap});
  if (!ignores_result(x)) {
    auto document = make_meta(x.message, settings_, "SUCCESS");
    document.result = std::move(result);
    document.children = std::move(next.children);
    to.document = to_document(document, settings_.result_serializer);
    result = std::move(document.result);
  }
  if (auto size = bytes_of(to); size > outcome_bytes_max)
    return failed(x, std::make_exception_ptr(std::length_error(fmt::format(
                         "a result of {} bytes with its follow-up messages; at "
                         "most {} are possible",
                         size, outcome_bytes_max))));
  x.how_ended = {"SUCCESS", std::move(result), {}};
  return to;
}

outcome task_runner::failed(call& x, const std::exception_ptr& cause) {
  auto to = failed_with(x, describe_exception(cause, x.name()));
  to.expected = x.task.expects(cause);
  return to;
}

outcome task_runner::failed_with(call& x, const exception_info& info) {
  x.how_ended = {"FAILURE", {}, info};
  outcome to;
  to.kind = outcome_kind::failure;
  to.summary = info.repr();
  to.traceback = info.traceback;
  const errback_rules rules{
      [this](const std::string& name) {
        auto* task = tasks_.find(name);
        return task && task->options().takes_failure;
      },
      [&](auto& errback, auto& failure) {
        return call_errback(x.self, errback, failure);
      }};
  auto next = after_failure(x.message, info, settings_, rules);
  tell_problems(x, next.problems);
  to.publish = std::move(next.publish);
  to.workflow = std::move(next.workflow);
  if (!stores_errors(x)) {
    to.workflow.results.clear();
  } else {
    auto document = make_meta(x.message, settings_, "FAILURE");
    document.result = to_json_object(info);
    if (!info.traceback.empty())
      document.traceback = info.traceback;
    to.document = to_document(document, settings_.result_serializer);
  }
  return to;
}

void task_runner::tell_problems(const call& x,
                                const std::vector<std::string>& problems) {
  for (auto& problem : problems)
    x.sink.log(x.job, error_level,
               fmt::format("Task {}: {}", x.name(), problem));
}

outcome task_runner::again(call& x, const umbel::retry& how) {
  auto next = retry_of(x.message, how, x.name());
  x.how_ended = {"RETRY", {}, next.why};
  if (stores_errors(x))
    next.end.document = document_of_retry(x.message, next, settings_);
  return std::move(next.end);
}

outcome task_runner::threw(call& x, const std::exception_ptr& cause) {
  auto started = std::exchange(x.self.started(), {});
  x.self.steps() = {};
  try {
    std::rethrow_exception(cause);
  } catch (const umbel::retry& how) {
    return again(x, how);
  } catch (umbel::reject& how) {
    x.how_ended = {"REJECTED", {}, {}};
    outcome to;
    to.kind = how.requeue ? outcome_kind::requeue : outcome_kind::reject;
    to.summary = std::move(how.reason);
    return to;
  } catch (const umbel::ignore&) {
    x.how_ended = {"IGNORED", {}, {}};
    outcome to;
    to.kind = outcome_kind::ignore;
    // What takes its place (context::replace).
    to.publish = std::move(started.publish);
    to.workflow.groups = std::move(started.groups);
    return to;
  } catch (...) {
    if (!x.task.retries_on(cause))
      return failed(x, cause);
  }
  try {
    x.self.retry(backoff(x, cause));
  } catch (const umbel::retry& how) {
    return again(x, how);
  } catch (...) { // retries are used up: the cause itself
    return failed(x, std::current_exception());
  }
}

bool task_runner::ignores_result(const call& x) const {
  // A header of false says nothing: Celery's clients always send one.
  return x.message.header.ignore_result.value_or(false)
         || x.task.options().ignore_result.value_or(
             settings_.task_ignore_result);
}

bool task_runner::stores_errors(const call& x) const {
  return !ignores_result(x)
         || x.task.options().store_errors_even_if_ignored.value_or(
             settings_.task_store_errors_even_if_ignored);
}

retry_options task_runner::backoff(const call& x,
                                   const std::exception_ptr& cause) {
  auto& options = x.task.options();
  retry_options how;
  how.exc = cause;
  if (options.retry_backoff) {
    auto wait =
        backoff_interval(options.retry_backoff_factor, x.message.header.retries,
                         options.retry_backoff_max);
    how.countdown = wait;
    if (options.retry_jitter) {
      std::random_device device;
      how.countdown = full_jitter(wait, uint64_t{device()} << 32 | device());
    }
  }
  return how;
}

} // namespace umbel
