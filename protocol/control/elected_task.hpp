// What the winner of an election does (topic "task"): it sends the task, or the
// workflow, that the election was held for.
#pragma once

#include "protocol/canvas/applier.hpp"
#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

namespace umbel {

/// What `Signature.apply_async` does with it.
/// @param from whoever has won
/// @returns `malformed` if it is no signature, `not_found` for a queue that may not be
///          made, `unsupported` for a chord that nobody would count
expected<void> apply_elected(canvas::application& to, const json::value& signature,
                             const canvas::origin& from);

} // namespace umbel
