// What a client calls itself.
#pragma once

#include <string>

namespace umbel {

/// As Celery's clients do: "gen4711@host".
std::string client_name();

} // namespace umbel
