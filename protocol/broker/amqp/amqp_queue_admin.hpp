// Exchanges and queues of RabbitMQ. It does not tell its bindings over AMQP.
#pragma once

#include "protocol/broker/queue_admin.hpp"

namespace umbel {

/// @returns errors as `connect_amqp_broker`
expected<std::unique_ptr<queue_admin>>
connect_amqp_queue_admin(const std::string& url, const broker_options& options);

} // namespace umbel
