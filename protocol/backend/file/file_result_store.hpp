// Results in a folder (`file:///path`), shared with Celery's filesystem backend.
#pragma once

#include "protocol/backend/result_listener.hpp"
#include "protocol/backend/result_store.hpp"

namespace umbel {

/// @returns `invalid_setting` if there is no such folder
expected<std::unique_ptr<result_store>>
connect_file_result_store(const std::string& url,
                          const result_store_options& options);

/// Told by inotify. @returns as `connect_file_result_store`
expected<std::unique_ptr<result_listener>>
connect_file_result_listener(const std::string& url,
                             const result_store_options& options);

} // namespace umbel
