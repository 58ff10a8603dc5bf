// What can be said on the command line, as data: filled by the parser (see
// command_line), read by configure.
#pragma once

#include "actors/worker_config.hpp"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace umbel {

/// The heading in help texts for options without one of their own.
inline constexpr const char* options_group = "Options";

/// Options of every command and those of `worker`.
struct options {
  // -- every command ----------------------------------------------------------

  std::vector<std::string> apps; ///< task libraries; empty: the default
  std::string config;
  std::string workdir;
  bool no_color = false;
  bool quiet = false;
  std::string loader; ///< has no meaning here
  bool skip_checks = false; ///< likewise

  // -- worker -----------------------------------------------------------------

  std::string hostname;
  std::string loglevel{"WARNING"};
  std::vector<std::string> queues;
  std::vector<std::string> exclude_queues;
  bool purge = false;
  bool force = false; ///< purge without asking
  bool detach = false;
  std::optional<autoscale_bounds> autoscale;
  bool without_heartbeat = false;
  bool without_gossip = false;
  bool without_mingle = false;
  size_t heartbeat_interval = 2; ///< seconds
  bool beat = false; ///< -B

  // -- settings ---------------------------------------------------------------

  /// Options that are settings, and `name=value` arguments.
  std::vector<std::pair<std::string, std::string>> assignments;
};

/// Adds the options of every command.
void add_global_options(CLI::App& command, options& x);

/// Adds the options of `worker`.
void add_worker_options(CLI::App& command, options& x);

/// Adds the options of `beat`.
void add_beat_options(CLI::App& command, options& x);

/// "10,3", "3,10" or "10" (from 0). @returns nothing for anything else.
std::optional<autoscale_bounds> parse_autoscale(const std::string& text);

/// "a, b,c" in its parts; empty ones are left out.
std::vector<std::string> split_list(const std::string& text);

} // namespace umbel
