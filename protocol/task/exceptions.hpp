// What a task may throw to say how it ends. What becomes of every other C++
// exception stands in describe_exception.hpp.
//
// retry, reject, ignore and cancelled are no errors, so they do not derive from
// std::exception: a `catch (const std::exception&)` in a task lets them pass.
#pragma once

#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"

#include <chrono>
#include <exception>
#include <optional>
#include <string>

namespace umbel {

/// An exception under the name and with the arguments that the client shall
/// see: `throw umbel::exception("KeyError", {"colour"})`. A Python client gets
/// an instance of that very class if it has loaded `module`.
class exception : public std::exception {
public:
  explicit exception(std::string type, json::array args = {},
                     std::string module = "builtins");

  const std::string& type() const noexcept {
    return type_;
  }

  const json::array& args() const noexcept {
    return args_;
  }

  const std::string& module() const noexcept {
    return module_;
  }

  /// The first argument if it is a string, all arguments as Python shows them
  /// otherwise.
  const char* what() const noexcept override {
    return what_.c_str();
  }

private:
  std::string type_;
  json::array args_;
  std::string module_;
  std::string what_;
};

/// The call does not fit the task's parameters. Never retried automatically.
class wrong_call : public exception {
public:
  explicit wrong_call(const std::string& what)
      : exception("TypeError", {what}) {
  }
};

/// The soft time limit is over. Thrown by `checkpoint`, by
/// `this_thread::sleep_for`, and wherever a coroutine waits; a task may catch it
/// to clean up, and then end within the hard limit.
class soft_time_limit_exceeded : public exception {
public:
  soft_time_limit_exceeded()
      : exception("SoftTimeLimitExceeded", {}, "billiard.exceptions") {
  }
};

/// Thrown by `context::retry` when the task's retries are used up and no cause
/// was given.
class max_retries_exceeded : public exception {
public:
  explicit max_retries_exceeded(const std::string& what)
      : exception("MaxRetriesExceededError", {what}, "celery.exceptions") {
  }
};

/// Run the task again later. Thrown by `context::retry`, which checks the
/// limit.
struct retry {
  std::optional<timestamp> eta; ///< empty: now + countdown
  std::chrono::milliseconds countdown{0};
  std::exception_ptr cause;        ///< may be null
  std::optional<json::array> args; ///< instead of the original ones
  std::optional<json::object> kwargs;
};

/// Refuse the message: to the dead letters, or back on the queue.
struct reject {
  std::string reason;
  bool requeue = false;
};

/// Forget the message; the task's state stays as it is.
struct ignore {};

/// Thrown where a coroutine waits when its run is given up: terminated, or by a
/// cold shutdown. It may clean up, but not wait again.
struct cancelled {};

} // namespace umbel
