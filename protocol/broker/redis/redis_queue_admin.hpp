// kombu's exchanges on Redis: sets of bindings, `_kombu.binding.<exchange>`. An
// exchange is there as long as something is bound to it, and has no type of its own.
#pragma once

#include "protocol/broker/queue_admin.hpp"

namespace umbel {

/// @returns errors as `connect_redis_broker`
expected<std::unique_ptr<queue_admin>>
connect_redis_queue_admin(const std::string& url, const broker_options& options);

} // namespace umbel
