// Unique tasks and idempotent publishing on Redis. The rules stand in unique.lua
// and publish_once.lua.
#pragma once

#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/keys.hpp"
#include "protocol/broker/unique_locks.hpp"
#include "protocol/message/uniqueness.hpp"

#include <memory>
#include <string>

namespace umbel::redis {

/// Publishes a message that is unique or to be published once, in one step with
/// the look whether it may be.
/// @returns `duplicate` if another task has its key. Nothing is done, and that is
///          fine, if it was published within its time.
expected<void> publish_checked(connection& main, const keys& names,
                               const outgoing_message& x,
                               const unique_terms& terms);

expected<std::unique_ptr<unique_locks>>
connect_unique_locks(const std::string& url, const broker_options& options);

} // namespace umbel::redis
