// What is broadcast on Redis: the channel "/<db>.<exchange>", and for events
// "/<db>.celeryev/<routing key>".
#pragma once

#include "protocol/broker/subscription.hpp"

namespace umbel {

expected<std::unique_ptr<subscription>>
subscribe_redis(const std::string& url, const broker_options& options,
                const std::string& exchange, const std::string& pattern);

} // namespace umbel
