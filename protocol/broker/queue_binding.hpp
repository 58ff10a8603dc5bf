// How queues are reached through exchanges, on whatever broker.
//
// A queue of a fanout exchange (kombu's Broadcast) is a node's alone: every worker
// that is to hear what is broadcast has one of its own, under a name of its own,
// and it ends with the node.
#pragma once

#include "protocol/broker/broker.hpp"

#include <string>
#include <string_view>

namespace umbel {

/// What `queue` is bound to: what the options say, or what was added, else the exchange of its
/// name, with that name.
broker_options::binding binding_of(const broker_options& x,
                                   const std::string& queue);

/// Whether `queue` is bound to a fanout exchange and consumed here: then it is this
/// node's, and ends with it.
bool is_own(const broker_options& x, const std::string& queue);

/// Where messages for `queue` go instead, if it is that of a fanout exchange and not
/// consumed here: there is no such queue, because each node has one under a name of
/// its own. Else null.
const broker_options::binding* broadcast_address(const broker_options& x,
                                                 const std::string& queue);

/// Celery's exchange of queues of one worker alone (`worker_direct`).
inline constexpr std::string_view direct_exchange = "C.dq2";

/// Whether queues can be bound to exchanges of this type over the broker at `url`.
/// @param type direct, topic, fanout; over RabbitMQ any that the server has
/// @returns `unsupported`, with the types that there are
expected<void> check_exchange_type(const std::string& url,
                                   const std::string& type);

/// Whether what is sent to a fanout exchange may reach those alone who subscribe to
/// it, and no queue: so it is on Redis if its producer has declared the exchange.
bool fanout_needs_subscriber(const std::string& url);

} // namespace umbel
