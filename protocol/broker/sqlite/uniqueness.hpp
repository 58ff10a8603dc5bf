// Unique tasks and idempotent publishing in a file. The tables of it are made when
// they are first needed: files of before have none.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/sqlite/database.hpp"
#include "protocol/message/uniqueness.hpp"

#include <span>
#include <string>
#include <vector>

namespace umbel::sqlite {

/// Within a transaction: takes what has to be taken before a message is put on its
/// queue.
/// @returns the id of the task that has its key, if that is another one; the
///          message's own if it was published before; empty if it may be published
std::string check_publishing(database& db, const unique_terms& terms);

/// As `broker::claim_keys`.
expected<std::vector<std::string>> claim_keys(database& db,
                                              std::span<const key_claim> batch);

/// Within a transaction: gives it back, if that task has it.
void give_back(database& db, const unique_key& x);

} // namespace umbel::sqlite
