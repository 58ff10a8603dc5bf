// What can be said to `umbel call`, as data.
#pragma once

#include "protocol/client/send_options.hpp"
#include "protocol/message/json.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace umbel {

struct call_options {
  std::string task;
  json::array args;
  json::object kwargs;
  send_options how;
  bool wait = false;
  std::optional<std::chrono::milliseconds> timeout;
};

void add_call_options(CLI::App& command, call_options& x);

} // namespace umbel
