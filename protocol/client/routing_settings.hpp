// Settings of where tasks go, as one.
#pragma once

#include "protocol/canvas/routing.hpp"
#include "protocol/client/settings.hpp"

#include <span>
#include <string>

namespace umbel {

/// Fills in what queues of `task_queues` are bound to where that is not said, as
/// Celery does by task_default_exchange and the like. If there are no task_queues and
/// one of those is set, the default queue becomes the only one.
void complete_queues(settings& x);

/// Where tasks go by these settings.
routing to_routing(const settings& from);

/// Whether queues may be used that are named on the command line.
/// @returns `not_found` for one that is not in task_queues, if
///          task_create_missing_queues is false
expected<void> check_queues(const settings& x, std::span<const std::string> names);

} // namespace umbel
