// Commands about what waits in queues.
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

/// `umbel migrate SOURCE DESTINATION`: moves what waits from one broker to
/// another. A message is acknowledged at the source when the destination has it.
/// @param tasks only those of these names; none: all
/// @param limit how many messages at most; 0: all
int migrate(const std::string& name, const options& given,
            const std::string& source, const std::string& destination,
            const std::vector<std::string>& queues,
            const std::vector<std::string>& tasks, size_t limit);

} // namespace umbel::client
