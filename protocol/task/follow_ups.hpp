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

#include <functional>
#include <string>
#include <vector>

namespace umbel {

struct follow_ups {
  std::vector<outgoing_message> publish;
  workflow_steps workflow;
  json::array children; ///< what was started: result tuples, for the document
  std::vector<std::string> problems; ///< for the log: what cannot be sent, and why
};

/// What the task has started itself, its callbacks, then the next step of its
/// chain, the latter with the result as first argument unless they are immutable.
/// @throws umbel::exception for a signature that cannot be carried out
follow_ups after_success(const task_message& done, const json::value& result,
                         const runner_settings& settings,
                         canvas::application started = {});

/// Who knows the tasks that are errbacks.
struct errback_rules {
  /// Whether this one takes the failed request, the exception and the traceback.
  std::function<bool(const std::string& task)> takes_failure;
  /// Calls it here and now. @returns whether it has
  std::function<bool(const canvas::signature&, const json::array& failure)> call;
};

/// Errbacks. Those that take several arguments get the failed request, the
/// exception and the traceback, and are called if they can be; all others are
/// sent the id of the failed task.
follow_ups after_failure(const task_message& done, const exception_info& why,
                         const runner_settings& settings,
                         const errback_rules& rules);

/// Where none can be called: `failure_takers` of the settings says what they take.
follow_ups after_failure(const task_message& done, const exception_info& why,
                         const runner_settings& settings);

/// The body of a chord will not run, because a task of its header has failed.
/// @param polled what has found out: its message
follow_ups after_failed_header(const task_message& polled,
                               const canvas::signature& body,
                               const exception_info& why,
                               const runner_settings& settings);

/// The task was revoked: its chord has to know.
follow_ups after_revocation(const task_message& done, const exception_info& why,
                            const runner_settings& settings);

} // namespace umbel
