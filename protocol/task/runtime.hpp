// What coroutines need of the outside world. Tasks do not use it themselves:
// they await umbel::sleep_for, umbel::http_get and so on.
//
// asio_runtime is the one that works; tests have a simulated one.
#pragma once

#include "protocol/error.hpp"
#include "protocol/names.hpp"
#include "protocol/task/question.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace umbel {

struct http_request;
struct http_response;
struct outgoing_message;

/// One thread on which coroutines run. Everything but `post` is for that thread
/// alone.
class runtime {
public:
  /// Something that was begun. Destroying it gives it up: its callback is not
  /// called any more. A callback may destroy its own operation.
  class operation {
  public:
    virtual ~operation() = default;
  };

  using time_point = std::chrono::steady_clock::time_point;

  virtual ~runtime() = default;

  /// Calls `f` soon, on the runtime's thread. From any thread.
  virtual void post(std::function<void()> f) = 0;

  virtual time_point now() const = 0;

  /// Calls `f` at that time, never before this function has returned.
  virtual std::unique_ptr<operation> at(time_point when,
                                        std::function<void()> f) = 0;

  /// Sends a request; calls `f` with the response, never before this function
  /// has returned.
  virtual std::unique_ptr<operation>
  send(http_request request,
       std::function<void(expected<http_response>)> f) = 0;

  /// Has another task run; calls `f` with the document of its end, never before
  /// this function has returned.
  virtual std::unique_ptr<operation>
  call(task_id id, outgoing_message message,
       std::function<void(expected<std::string>)> f) = 0;

  /// Asks the result store. Holds up the thread until the answer
  /// has come, for some seconds at most.
  virtual expected<std::vector<std::string>> ask(question x) = 0;
};

} // namespace umbel
