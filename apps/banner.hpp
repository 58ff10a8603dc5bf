// What a worker shows when it is ready, in the manner of Celery's banner.
#pragma once

#include "actors/worker_config.hpp"

#include <span>
#include <string>

namespace umbel {

/// Node, configuration and queues; at log level INFO and below also the tasks,
/// those named `celery.*` only at DEBUG. URLs are shown without passwords.
std::string banner(const worker_config& config,
                   std::span<const std::string> tasks);

} // namespace umbel
