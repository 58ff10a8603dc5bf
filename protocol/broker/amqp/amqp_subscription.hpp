// A fanout exchange on RabbitMQ, with a queue of this node's own.
#pragma once

#include "protocol/broker/subscription.hpp"

namespace umbel {

expected<std::unique_ptr<subscription>>
subscribe_amqp(const std::string& url, const broker_options& options,
               const std::string& exchange);

} // namespace umbel
