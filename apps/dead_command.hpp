// `umbel dead`: looks at what was parked instead of run, and sends it again or
// forgets it.
#pragma once

#include "apps/options.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace umbel {

struct dead_options {
  std::string action = "list"; ///< list, show, replay, discard
  std::vector<std::string> ids;
  std::vector<std::string> queues; ///< empty: all that have dead letters
  bool all = false;                ///< instead of ids
  bool json = false;
};

void add_dead_options(CLI::App& command, dead_options& x);

/// @param name put before what goes wrong: "umbel dead"
/// @returns the exit status
int run_dead_command(const std::string& name, const options& given,
                     const dead_options& x);

} // namespace umbel
