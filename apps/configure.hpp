// From options, environment and settings to a worker_config.
#pragma once

#include "actors/worker_config.hpp"
#include "apps/daemon/process_config.hpp"
#include "apps/options.hpp"
#include "protocol/client/broker_settings.hpp"
#include "protocol/error.hpp"

#include <map>
#include <string>
#include <vector>

namespace umbel {

using environment = std::map<std::string, std::string>;

/// The environment of this process.
environment current_environment();

/// Reads the settings, checks where broker and results are, and chooses the result
/// store if none is named.
/// @param warnings lines for the log
/// @returns an error that says which option, variable or setting is wrong
expected<settings> configure_settings(const options& given,
                                      const environment& variables,
                                      std::vector<std::string>& warnings);

/// Reads the settings and decides everything that needs no file but --config.
/// @param warnings lines for the log
/// @returns an error that says which option, variable or setting is wrong.
expected<worker_config> configure_worker(const options& given,
                                         const environment& variables,
                                         std::vector<std::string>& warnings);

/// Decides how the process is to run.
/// @returns `invalid_setting` for a path, user, group or mask that cannot be.
expected<process_config> configure_process(const options& given,
                                           const worker_config& config);

/// Finds the task libraries and the child program.
/// @returns `not_found` with what was looked for and where.
expected<void> find_files(worker_config& config);

} // namespace umbel
