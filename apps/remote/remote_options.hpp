// What can be said to `umbel status`, `umbel inspect` and `umbel control`, as
// data.
#pragma once

#include "protocol/control/command_table.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

struct remote_options {
  std::vector<std::string> destinations; ///< node names; empty: everybody
  std::string pattern; ///< empty: everybody
  std::string matcher{"glob"}; ///< of `pattern`: "glob" or "pcre"
  std::chrono::milliseconds timeout{1'000};
  bool json = false;
  std::string signal; ///< of `revoke...`: ends what runs; empty: it goes on
  bool custom = false; ///< a command that only the workers know
};

/// @param custom whether there may be other commands than the table's
void add_remote_options(CLI::App& command, remote_options& x, bool custom);

/// Those of `umbel control` alone.
void add_control_options(CLI::App& command, remote_options& x);

/// The part of the help that lists the commands of a kind.
std::string help_of_commands(command_kind kind);

} // namespace umbel
