// How a running task has another one run: by whoever has a broker.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/error.hpp"
#include "protocol/task/question.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace umbel {

/// All functions may be called from any thread.
class task_caller {
public:
  /// Gets the document of the task's end, or why there will be none.
  using handler = std::function<void(expected<std::string>)>;

  /// Gets the answer to a question.
  using answer_handler
      = std::function<void(expected<std::vector<std::string>>)>;

  virtual ~task_caller() = default;

  /// Publishes a task and waits for its result. The task may run more than once
  /// if the broker is lost meanwhile.
  /// @param f called once, from any thread, maybe before this has returned
  /// @returns a number for `forget`
  virtual uint64_t call(task_id id, outgoing_message message, handler f) = 0;

  /// Calls the handler no more. The task runs nevertheless.
  virtual void forget(uint64_t number) = 0;

  /// Asks the result store or the broker.
  /// @param f called once, from any thread, maybe before this has returned
  virtual void ask(question x, answer_handler f) = 0;
};

} // namespace umbel
