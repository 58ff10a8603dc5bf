// `umbel beat`: sends periodic tasks.
#pragma once

#include "actors/beat/run_beat.hpp"
#include "apps/configure.hpp"
#include "apps/options.hpp"

#include <memory>
#include <string>
#include <vector>

namespace umbel {

/// What a beat is started with, from the settings `beat_*`.
/// @returns `invalid_setting` with setting, entry and what is wrong
expected<beat_config> configure_beat(const settings& x);

/// Adds the periodic tasks of task libraries. Entries of the setting beat_schedule
/// outrank those of the same name.
/// @returns which library or entry is wrong, and why
expected<void> add_library_tasks(beat_config& to, const settings& x,
                                 const std::vector<std::string>& libraries);

/// @param name what errors call the command: "umbel beat"
/// @returns the exit status
int run_beat_command(const std::string& name, const options& given);

} // namespace umbel
