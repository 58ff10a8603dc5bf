// A task as a part of a chord: what has to be counted when it ends, and what
// becomes of the chord then.
#pragma once

#include "protocol/backend/document.hpp"
#include "protocol/backend/workflow.hpp"
#include "protocol/canvas/applier.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/task/settings.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbel {

/// What a task that has ended publishes is its child.
canvas::origin origin_of(const task_message& done,
                         const runner_settings& settings);

/// @throws umbel::exception (NotImplementedError) if a chord is among it that nobody
///         could wait for
void refuse_impossible(const canvas::application& x);

/// The part that this task is of a chord, if it is one.
/// @param state SUCCESS, FAILURE or REVOKED
/// @param result its result, or the document of its exception
/// @param problems gets what of the chord cannot be sent, and why: lines for the log
std::optional<chord_part> part_of(const task_message& done,
                                  std::string_view state,
                                  const json::value& result,
                                  const runner_settings& settings,
                                  std::vector<std::string>& problems);

/// A step that would have followed will not run: it has failed as `done` has,
/// with all that it consists of.
void give_up(workflow_steps& to, const canvas::signature& step,
             const task_message& done, const exception_info& why,
             const runner_settings& settings, std::vector<std::string>& problems);

/// Why the chord that the task is a part of cannot be counted, for the log;
/// empty if it can, or if there is none.
std::string uncounted_chord(const task_message& done,
                            const runner_settings& settings);

} // namespace umbel
