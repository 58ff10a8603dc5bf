// The settings `event_*` and `control_*`, for those who speak to all.
#pragma once

#include "protocol/broker/subscription.hpp"
#include "protocol/client/settings.hpp"

namespace umbel {

broadcast_options to_broadcast_options(const settings& from);

/// What events may be written in, for those who listen: JSON, and what these settings
/// say.
content_rules to_event_rules(const settings& from);

} // namespace umbel
