// Publishes each due time once on a broker that is a SQLite file: the message, and that
// it was published, in one transaction.
#pragma once

#include "protocol/broker/sqlite/address.hpp"
#include "protocol/schedule/once_publisher.hpp"

namespace umbel::schedule {

/// @returns errors as `sqlite::open_database`
expected<std::unique_ptr<once_publisher>>
open_sqlite_once_publisher(const std::string& broker_url,
                           const broker_options& options);

} // namespace umbel::schedule
