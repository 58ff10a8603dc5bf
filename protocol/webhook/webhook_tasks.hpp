// Tasks that are HTTP endpoints, so that whatever has an HTTP server can be a worker:
// those that the setting webhook_tasks declares, and Celery 3's celery.http.dispatch,
// whose caller names the endpoint.
//
// Each is a coroutine: with -P gevent or eventlet thousands of requests are under way
// on one thread; with the other pools each occupies a child.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"
#include "protocol/task/registry.hpp"

namespace umbel::webhook {

/// Adds them.
/// @param settings where webhook_tasks, webhook_allowed_hosts and
///        webhook_allowed_networks are among
/// @returns `invalid_setting`; also if a library has a task of the same name
expected<void> add_tasks(registry& to, const json::object& settings);

} // namespace umbel::webhook
