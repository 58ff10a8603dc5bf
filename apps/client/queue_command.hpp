// `umbel purge`.
#pragma once

#include "apps/options.hpp"

#include <string>
#include <vector>

namespace umbel::client {

/// `umbel purge`: deletes what waits.
/// @param queues none: those of the settings
/// @param excluded those of them that stay as they are
/// @param force do not ask
int purge(const std::string& name, const options& given,
          const std::vector<std::string>& queues,
          const std::vector<std::string>& excluded, bool force);

} // namespace umbel::client
