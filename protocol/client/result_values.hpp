// What the results of one task and those of several have in common. Internal to this
// folder.
#pragma once

#include "protocol/client/app_core.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace umbel {

/// What a task that has ended has returned.
/// @throws what it has thrown, if that is to be propagated
json::value outcome_of(const task_result& x, bool propagate);

/// Waits for the ends of tasks, and calls what waits for them (result_callbacks).
/// @throws as async_result::get
std::vector<task_result> wait(app_core& core, std::span<const task_id> ids,
                              std::span<const task_id> before,
                              const get_options& how);

/// The last of the first `before` results of a workflow.
std::optional<any_result> parent_of(const std::shared_ptr<app_core>& core,
                                    const lineage& line, size_t before);

/// `[[id, parent], children]`.
json::value tuple_of(const std::string& id, const lineage& line, size_t before,
                     json::value children);

} // namespace umbel
