// The commands of remote control that task libraries bring along
// (protocol/task/remote_command.hpp).
//
//  1. a command that no worker knows is looked for in the libraries: a child is
//     started for it, loads them, runs it and answers;
//  2. an actor of its own waits for that child, and ends;
//  3. a child that crashes, hangs or says too much is an error in the answer, and is
//     gone after `remote_command::time_limit`.
//
// Bounds: `running_max` at a time, more are refused; names that the libraries are
// known not to have start no child.
#pragma once

#include "actors/cluster/control.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

namespace umbel {

/// What a child has answered.
struct library_answer {
  std::string name; ///< of the command
  answer_function answer;
  expected<json::object> result;
};

/// Whether the libraries may have it.
bool may_be_library_command(const control_state& self, const std::string& name);

/// @pre `may_be_library_command`
void run_library_command(control_state& self, const control_request& x,
                         answer_function answer);

void on_library_answer(control_state& self, library_answer& x);

} // namespace umbel

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::library_answer)
