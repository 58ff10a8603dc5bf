// The line of the log for the end of a run, in Celery's words.
#pragma once

#include "actors/consumer/request.hpp"
#include "protocol/task/outcome.hpp"

namespace umbel {

void log_outcome(const request& r, const outcome& x);

} // namespace umbel
