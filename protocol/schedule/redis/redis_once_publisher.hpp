// Publishes each due time once on a broker that is Redis (once.lua).
#pragma once

#include "protocol/schedule/once_publisher.hpp"

namespace umbel::schedule {

/// @returns null if it is not the URL of a Redis server; errors as
///          `redis::connection::open`
expected<std::unique_ptr<once_publisher>>
open_redis_once_publisher(const std::string& broker_url,
                          const broker_options& options);

} // namespace umbel::schedule
