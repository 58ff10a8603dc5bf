// Unique tasks and idempotent publishing in a file. The tables of it are made when
// they are first needed: files of before have none.
#pragma once

#include "protocol/broker/sqlite/database.hpp"
#include "protocol/broker/unique_locks.hpp"
#include "protocol/message/uniqueness.hpp"

#include <memory>
#include <string>

namespace umbel::sqlite {

/// Within a transaction: takes what has to be taken before a message is put on its
/// queue.
/// @returns the id of the task that has its key, if that is another one; the
///          message's own if it was published before; empty if it may be published
std::string check_publishing(database& db, const unique_terms& terms);

expected<std::unique_ptr<unique_locks>>
connect_unique_locks(const std::string& url);

} // namespace umbel::sqlite
