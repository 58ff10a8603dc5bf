// The unique key of a task that is about to run (protocol/message/uniqueness.hpp).
#pragma once

#include "protocol/message/task_message.hpp"
#include "protocol/message/uniqueness.hpp"
#include "protocol/task/outcome.hpp"
#include "protocol/task/runtime.hpp"
#include "protocol/task/state_sink.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace umbel {

/// For one run. Does nothing for a task that is not unique.
class held_key {
public:
  /// @pre all outlive it
  held_key(const task_message& message, state_sink& sink, uint64_t job,
           runtime& where);

  /// Takes the key, which may have been taken when the task was published, and
  /// gives it back if it is held until the start only.
  /// @returns why the task may not run: another one has the key; empty if it may
  std::string refusal();

  /// Gives it back, unless the task will run again.
  void ended(outcome_kind how);

private:
  void give_back();

  std::optional<unique_terms> terms_;
  bool first_run_;
  bool held_ = false;
  state_sink& sink_;
  uint64_t job_;
  runtime& where_;
};

} // namespace umbel
