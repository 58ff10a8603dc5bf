// Which exchanges are fanout ones.
#pragma once

#include <string_view>

namespace umbel {

/// Nothing on a broker without exchanges of its own says what type an exchange
/// has: these are Celery's, of events and of commands to workers.
inline bool is_fanout(std::string_view exchange) {
  return exchange == "celeryev"
         || (exchange.ends_with(".pidbox") && !exchange.starts_with("reply."));
}

} // namespace umbel
