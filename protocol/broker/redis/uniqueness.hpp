// Unique tasks and idempotent publishing on Redis. The rules stand in claim.lua,
// publish_once.lua and settle.lua.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/keys.hpp"
#include "protocol/message/uniqueness.hpp"

#include <span>
#include <string>
#include <vector>

namespace umbel::redis {

/// Publishes a message that is unique or to be published once, in one step with
/// the look whether it may be.
/// @param where its places (place.hpp)
/// @returns `duplicate` if another task has its key. Nothing is done, and that is
///          fine, if it was published within its time.
expected<void> publish_checked(connection& main, const keys& names,
                               std::span<const std::string> where,
                               const std::string& payload,
                               const unique_terms& terms);

/// As `broker::claim_keys`.
expected<std::vector<std::string>> claim_keys(connection& main,
                                              const keys& names,
                                              std::span<const key_claim> batch);

} // namespace umbel::redis
