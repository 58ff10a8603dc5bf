// Which settlements are messages to the broker, too.
#pragma once

#include "protocol/broker/broker.hpp"

namespace umbel {

/// Whether the settlement publishes anything, where the broker does not move messages
/// by itself.
inline bool publishes(const settlement& x) {
  return !x.publish.empty() || x.dead || x.how == disposition::requeue
         || x.how == disposition::delay;
}

} // namespace umbel
