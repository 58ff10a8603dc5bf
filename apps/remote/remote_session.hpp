// What all commands that talk to workers or to brokers begin with: settings,
// connections to the broker, and one line for an error.
#pragma once

#include "apps/options.hpp"
#include "protocol/client/control_client.hpp"
#include "protocol/client/settings.hpp"

#include <string>

namespace umbel {

/// One line on standard error. @returns `status`
int refuse(const std::string& name, const std::string& what, int status);

/// The exit status that tells of an error.
int status_of(const error& x);

/// With the exit status that belongs to the error.
int refuse(const std::string& name, const error& x);

/// Whether warnings about settings go to standard error. Those who only talk to
/// workers need no result store, and no line that says so.
enum class warnings_of_settings : bool { pass_over, show };

/// Changes to --workdir and reads the settings.
expected<settings>
read_settings(const std::string& name, const options& given,
              warnings_of_settings what = warnings_of_settings::pass_over);

control_client_options to_control_client_options(const settings& from);

} // namespace umbel
