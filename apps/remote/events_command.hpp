// `umbel events`: what happens in the cluster, as lines or as a live view.
#pragma once

#include "apps/options.hpp"

#include <CLI/CLI.hpp>

#include <string>

namespace umbel {

struct events_options {
  bool dump = false;
  bool json = false; ///< with `dump`
};

void add_events_options(CLI::App& command, events_options& x);

/// @returns the exit status: 69 if the broker cannot be reached
int run_events_command(const std::string& name, const options& given,
                       const events_options& x);

} // namespace umbel
