// The live view on a terminal: draws what event_view says, reads keys, and has
// workers do what is asked for.
#pragma once

#include "apps/remote/event_listener.hpp"
#include "protocol/client/control_client.hpp"

#include <string>

namespace umbel {

/// Takes over the terminal until somebody quits.
/// @pre standard input and output are terminals
/// @returns the exit status
int run_event_screen(event_listener& events, control_client& workers,
                     const std::string& location);

} // namespace umbel
