// Putting messages on queues, in a transaction of the caller's.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/sqlite/database.hpp"

namespace umbel::sqlite {

/// The priority step of a message: the largest that is not above its priority.
int step_of(const std::vector<int>& steps, int priority);

/// Publishes, behind the others of its step.
void put(database& db, const outgoing_message& x, int step);

/// Where a message goes that was there before.
enum class place : uint8_t { first, last };

/// Marks a message as delivered before and puts it back on its queue. One that
/// cannot be marked goes back as it is.
void put_back(database& db, int64_t message, place where);

/// Puts it on its queue as the next one, unmarked.
void put_first(database& db, int64_t message);

/// The queues that a message reaches through an exchange, each once.
std::vector<std::string> route(database& db, const std::string& exchange,
                               const std::string& routing_key);

} // namespace umbel::sqlite
