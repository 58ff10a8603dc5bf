// Another task, from a coroutine: published through the broker, run by any
// worker of any kind that consumes its queue.
//
//   auto sum = co_await umbel::call<int>("tasks.add", 4, 4);
#pragma once

#include "protocol/message/uniqueness.hpp"
#include "protocol/task/bounded_sleep.hpp"
#include "protocol/task/coroutine.hpp"
#include "protocol/task/exceptions.hpp"
#include "protocol/task/from_json.hpp"
#include "protocol/task/to_json.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace umbel {

namespace detail {

/// What is called, and how.
struct call_parts {
  std::string task;
  json::array args;
  json::object kwargs = {};
  json::object headers = {};
  json::object options = {}; ///< Celery's names
  std::optional<std::chrono::steady_clock::duration> timeout = {};
};

/// Everything but the type of the result.
class call_wait_base : public wait {
protected:
  explicit call_wait_base(call_parts&& what) : what_(std::move(what)) {
  }

  ~call_wait_base() = default;

  /// What the task has returned. @throws what it threw, or the lack of a result
  json::value take();

  /// Of a result that is no T.
  [[noreturn]] void throw_wrong_result(const bad_argument& why) const;

private:
  std::unique_ptr<runtime::operation> begin(runtime& where) override;

  void end(expected<std::string> document);

  call_parts what_;
  expected<std::string> document_;
  std::unique_ptr<runtime::operation> clock_;
};

template <class T>
class call_wait final : public call_wait_base {
public:
  explicit call_wait(call_parts&& what) : call_wait_base(std::move(what)) {
  }

  T await_resume() {
    auto result = take();
    if constexpr (!std::is_void_v<T>) {
      try {
        return from_json<T>(result);
      } catch (const bad_argument& x) {
        throw_wrong_result(x);
      }
    }
  }
};

} // namespace detail

/// A call that is made when it is awaited. Its options can be chained:
/// `co_await umbel::call("tasks.report").queue("slow").timeout(1h)`
template <class T>
class [[nodiscard]] call_request {
public:
  explicit call_request(detail::call_parts what) : what_(std::move(what)) {
  }

  /// g++ 12 needs a named object here: it cannot have a list in braces within a
  /// co_await expression.
  call_request&& kwargs(json::object x) && {
    what_.kwargs = std::move(x);
    return std::move(*this);
  }

  /// Default: by the settings task_routes and task_default_queue.
  call_request&& queue(std::string_view x) && {
    what_.options["queue"] = x;
    return std::move(*this);
  }

  /// 0 to 9; 0 is the most urgent on Redis.
  call_request&& priority(int x) && {
    what_.options["priority"] = x;
    return std::move(*this);
  }

  /// Of the message, for the task's `header()`.
  call_request&& headers(json::object x) && {
    for (auto& [name, value] : x)
      what_.headers[name] = std::move(value);
    return std::move(*this);
  }

  /// While another task of this name with this key waits or runs, the call is
  /// refused: TaskRevokedError. See protocol/task/README.md, Unique tasks.
  call_request&& unique_key(const std::string& x) && {
    what_.headers[unique_key_header] = x;
    return std::move(*this);
  }

  /// Longest time for which it holds its key. Default: an hour.
  template <class Rep, class Period>
  call_request&& unique_for(std::chrono::duration<Rep, Period> x) && {
    what_.headers[unique_for_header]
        = std::chrono::duration<double>(x).count();
    return std::move(*this);
  }

  /// Holds its key only until it begins.
  call_request&& unique_until_start() && {
    what_.headers[unique_until_header] = "start";
    return std::move(*this);
  }

  /// Waits no longer for the result than this; the task runs nevertheless.
  /// Default: for ever.
  template <class Rep, class Period>
  call_request&& timeout(std::chrono::duration<Rep, Period> x) && {
    what_.timeout = bounded_sleep(x);
    return std::move(*this);
  }

  detail::call_wait<T> operator co_await() && {
    return detail::call_wait<T>{std::move(what_)};
  }

private:
  detail::call_parts what_;
};

/// Has another task run and waits for its result, which must be a T; void if it
/// does not matter.
/// @throws when awaited: umbel::exception with the type, arguments and module
/// of
///         what the task threw, TaskRevokedError, TimeoutError (module
///         celery.exceptions), OperationalError (kombu.exceptions) if there is
///         no result store or no broker that could be used
template <class T = json::value, class... Ts>
call_request<T> call(std::string task, const Ts&... args) {
  json::array list;
  (list.push_back(to_json_value(args)), ...);
  return call_request<T>{{std::move(task), std::move(list)}};
}

} // namespace umbel
