// Results of `sqlite:///path` as they come.
#pragma once

#include "protocol/backend/result_listener.hpp"

namespace umbel {

/// Opens or makes the file. @returns errors as `connect_sqlite_broker`
expected<std::unique_ptr<result_listener>>
connect_sqlite_result_listener(const std::string& url,
                               const result_store_options& options);

} // namespace umbel
