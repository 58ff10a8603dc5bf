// A fanout exchange in the file: rows of `broadcast`, read by everybody who was
// there when they were written.
#pragma once

#include "protocol/broker/sqlite/database.hpp"
#include "protocol/broker/subscription.hpp"

namespace umbel {

/// How long somebody who listens is counted without a word.
inline constexpr std::chrono::milliseconds subscriber_lease{20'000};

/// @param lease longer for one who does something else before he reads
expected<std::unique_ptr<subscription>>
subscribe_sqlite(const std::string& url, const broker_options& options,
                 const std::string& exchange, const std::string& pattern,
                 std::chrono::milliseconds lease = subscriber_lease);

namespace sqlite {

/// @returns how many listen at this moment
expected<size_t> publish_broadcast(database& db, const std::string& exchange,
                                   const std::string& payload);

} // namespace sqlite

} // namespace umbel
