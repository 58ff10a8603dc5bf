// What is broadcast on RabbitMQ, and mailboxes: queues that belong to those who
// listen, declared as kombu declares them (contract section 4).
#pragma once

#include "protocol/broker/subscription.hpp"

namespace umbel {

expected<std::unique_ptr<subscription>>
subscribe_amqp(const std::string& url, const broker_options& options,
               const std::string& exchange, const std::string& pattern,
               const broadcast_options& how);

expected<std::unique_ptr<subscription>>
open_amqp_mailbox(const std::string& url, const broker_options& options,
                  const std::string& exchange, const std::string& key,
                  const broadcast_options& how);

} // namespace umbel
