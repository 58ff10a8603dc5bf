// URLs of Celery's that are not known here: what to write instead.
#pragma once

#include <string>
#include <string_view>

namespace umbel {

/// @returns a line for an operator, without the rest of the URL, which may hold a
/// password; empty: there is nothing to say that is not said of every scheme
std::string advice_on_scheme(std::string_view scheme);

} // namespace umbel
