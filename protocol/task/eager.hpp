// Eager mode: a task that is called runs where it stands, without broker and
// worker (Celery's task_always_eager). For tests.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/error.hpp"
#include "protocol/names.hpp"
#include "protocol/task/runtime.hpp"

#include <functional>
#include <memory>
#include <string>

namespace umbel {

class context;

/// Runs the task of `message` on the runtime's thread, retries at once included.
/// What follows from it goes out with the caller's own outcome, and its result
/// too, if task_store_eager_result is set.
/// @param caller outlives the operation
/// @param f gets the document of its end, never before this has returned
std::unique_ptr<runtime::operation>
run_eagerly(context& caller, runtime& where, task_id id,
            outgoing_message message,
            std::function<void(expected<std::string>)> f);

} // namespace umbel
