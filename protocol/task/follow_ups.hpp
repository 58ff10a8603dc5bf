// What follows from a task's end: its callbacks (`link`), the next step of its
// chain, its errbacks (`link_error`), and what its chord has to know. Contract
// section 1.2.
//
// When a task fails, so does all that was to follow it: the remaining steps of
// its chain get its exception as their own, so that nobody waits for them; and
// if they are parts of a chord, so does the chord.
#pragma once

#include "protocol/backend/document.hpp"
#include "protocol/backend/workflow.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/canvas/applier.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/task/settings.hpp"

#include <string>
#include <vector>

namespace umbel {

struct follow_ups {
  std::vector<outgoing_message> publish;
  workflow_steps workflow;
  json::array children; ///< what was started: result tuples, for the document
};

/// What the task has started itself, its callbacks, then the next step of its
/// chain, the latter with the result as first argument unless they are immutable.
/// @throws umbel::exception for a signature that cannot be carried out
follow_ups after_success(const task_message& done, const json::value& result,
                         const runner_settings& settings,
                         canvas::application started = {});

/// Errbacks, each with the id of the failed task as its first argument.
follow_ups after_failure(const task_message& done, const exception_info& why,
                         const runner_settings& settings);

/// The task was revoked: its chord has to know.
follow_ups after_revocation(const task_message& done, const exception_info& why,
                            const runner_settings& settings);

} // namespace umbel
