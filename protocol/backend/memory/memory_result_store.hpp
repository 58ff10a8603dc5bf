// The result store for tests and for programs of one process: `memory://name`.
#pragma once

#include "protocol/backend/result_store.hpp"

#include <memory>
#include <string>

namespace umbel {

class result_table;

/// Opens the table that the URL names. Cannot fail.
std::unique_ptr<result_store>
connect_memory_result_store(const std::string& url,
                            const result_store_options& options);

/// The table behind a URL: connections that are given the same URL and key
/// prefix share it, and so does a broker that stores results itself.
std::shared_ptr<result_table>
result_table_of(const std::string& url, const result_store_options& options);

/// What stands after "memory://": "memory://name/" and "memory://name" are one.
std::string memory_name(const std::string& url);

} // namespace umbel
