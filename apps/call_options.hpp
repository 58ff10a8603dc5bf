// What can be said to `umbel call`, as data.
#pragma once

#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace umbel {

struct call_options {
  std::string task;
  json::array args;
  json::object kwargs;
  std::optional<std::chrono::microseconds> countdown;
  std::optional<timestamp> eta;
  /// Seconds from now, or a time.
  std::optional<std::chrono::microseconds> expires_in;
  std::optional<timestamp> expires;
  std::string queue; ///< empty: task_default_queue
  std::optional<int> priority;
  std::string task_id; ///< empty: a new one
  json::object headers; ///< of the message: what makes it unique
  bool wait = false;
  std::optional<std::chrono::milliseconds> timeout;
};

void add_call_options(CLI::App& command, call_options& x);

} // namespace umbel
