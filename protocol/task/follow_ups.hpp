// The messages that follow from a task's end: its callbacks (`link`), the next
// step of its chain, its errbacks (`link_error`). Contract section 1.2.
//
// Steps that are groups, chains or chords themselves, and the chord that the
// task may be a part of, are not published yet.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/message/task_message.hpp"
#include "protocol/task/settings.hpp"

#include <string>
#include <vector>

namespace umbel {

/// Callbacks, then the next step of the chain, each with the result as its
/// first argument unless it is immutable.
void add_success_follow_ups(std::vector<outgoing_message>& to,
                            const task_message& done, const json::value& result,
                            const runner_settings& settings);

/// Errbacks, each with the id of the failed task as its first argument.
void add_failure_follow_ups(std::vector<outgoing_message>& to,
                            const task_message& done,
                            const runner_settings& settings);

/// What the message asks for and cannot be had, for the log; empty if nothing.
std::string unsupported_follow_ups(const task_message& done);

} // namespace umbel
