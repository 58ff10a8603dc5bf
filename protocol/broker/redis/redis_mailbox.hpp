// A mailbox on Redis, as kombu's clients have it (contract section 8.2): a list,
// bound to the exchange for as long as somebody waits.
#pragma once

#include "protocol/broker/subscription.hpp"

namespace umbel {

expected<std::unique_ptr<subscription>>
open_redis_mailbox(const std::string& url, const broker_options& options,
                   const std::string& exchange, const std::string& key);

} // namespace umbel
