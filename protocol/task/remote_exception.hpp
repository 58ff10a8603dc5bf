// The exception of another task, from the document in which it was stored.
#pragma once

#include "protocol/error.hpp"
#include "protocol/task/exceptions.hpp"

namespace umbel {

/// From Celery's document of an exception; an `Exception` for anything else.
/// @param result the member `result` of a state document, or null
exception remote_exception(const json::value* result);

/// Why there is no result: TimeoutError of celery.exceptions if it took too long,
/// else OperationalError of kombu.exceptions.
exception no_result(const error& why);

/// QueueNotFound of celery.exceptions.
exception queue_not_found(const error& why);

} // namespace umbel
