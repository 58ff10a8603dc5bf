// What can be said to `umbel beat list|add|...`, as data.
#pragma once

#include "apps/options.hpp"
#include "protocol/message/json.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace umbel {

struct schedule_options {
  std::vector<std::string> names; ///< entries
  json::object definition;        ///< for `add`
  bool replace = false;
  size_t count = 10; ///< for `next`
  bool as_json = false;
};

/// One of the commands.
struct schedule_verb {
  std::string_view word;
  const char* meaning;
  const char* arguments; ///< in the usage line
  const char* footer;
};

const std::vector<schedule_verb>& schedule_verbs();

/// Adds what `verb` understands: global options, the place of the schedule, its own.
void add_schedule_options(CLI::App& command, const schedule_verb& verb,
                          options& global, schedule_options& x);

} // namespace umbel
