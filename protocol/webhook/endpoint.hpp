// A task that is an HTTP endpoint: what the settings say of it.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"
#include "protocol/task/http.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbel::webhook {

/// Celery 3's name for the task whose caller names the endpoint.
inline constexpr std::string_view dispatch_task = "celery.http.dispatch";

struct endpoint {
  std::string task;
  std::string url; ///< empty: the caller says it (dispatch_task)
  std::string method = "POST";
  http_headers headers;
  std::chrono::milliseconds timeout{30'000}; ///< for one try, redirects included
  std::optional<int> max_retries = 3;        ///< none: no limit
  std::chrono::seconds retry_backoff{1};     ///< before the first retry; then doubled
  std::chrono::seconds retry_backoff_max{600};
  bool retry_jitter = true; ///< wait a random part of it
  int max_redirects = 5;
  size_t response_bytes_max = 16u << 20;
  std::optional<bool> acks_late; ///< none: as the worker's other tasks
  std::shared_ptr<const http::access> access;
  std::shared_ptr<const http::trust> trust; ///< null: the system's authorities
};

/// "GET", "POST", "PUT", "PATCH" or "DELETE".
bool is_method(std::string_view x);

/// Whether arguments travel in the URL and not in a body.
bool has_query(std::string_view method);

/// Reads the settings webhook_tasks, webhook_allowed_hosts and
/// webhook_allowed_networks; others are ignored. dispatch_task is always among the
/// result.
/// @returns `invalid_setting` with the setting's name, its value and what is expected
expected<std::vector<endpoint>> read_endpoints(const json::object& settings);

} // namespace umbel::webhook
