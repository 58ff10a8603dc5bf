// worker_deduplicate_successful_tasks: a task that is delivered again may have
// been run before, by somebody who did not live to acknowledge it.
#pragma once

#include "protocol/message/task_message.hpp"
#include "protocol/task/options.hpp"
#include "protocol/task/runtime.hpp"
#include "protocol/task/settings.hpp"

#include <optional>

namespace umbel {

/// What it has returned then, if that was stored as a success. Nothing where the
/// setting is off, where nothing can be looked up, and for a task that is
/// acknowledged early.
std::optional<json::value> earlier_result(const task_message& message,
                                          const task_options& task,
                                          const runner_settings& settings,
                                          runtime& where);

} // namespace umbel
