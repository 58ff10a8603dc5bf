// Results in a SQLite file, usually that of the broker: `sqlite:///path`.
#pragma once

#include "protocol/backend/result_store.hpp"

namespace umbel {

/// Opens or makes the file. @returns errors as `connect_sqlite_broker`
expected<std::unique_ptr<result_store>>
connect_sqlite_result_store(const std::string& url,
                            const result_store_options& options);

} // namespace umbel
