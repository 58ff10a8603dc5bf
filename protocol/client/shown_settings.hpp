// Settings as remote control shows them.
#pragma once

#include "protocol/client/settings.hpp"
#include "protocol/message/json.hpp"

namespace umbel {

/// The settings that have an effect, by name: those that are not as their
/// defaults, or all. Passwords are not in it.
json::object shown_settings(const settings& x, bool with_defaults);

} // namespace umbel
