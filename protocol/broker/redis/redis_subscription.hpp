// A fanout exchange on Redis: the channel "/<db>.<exchange>".
#pragma once

#include "protocol/broker/subscription.hpp"

namespace umbel {

expected<std::unique_ptr<subscription>>
subscribe_redis(const std::string& url, const broker_options& options,
                const std::string& exchange);

} // namespace umbel
