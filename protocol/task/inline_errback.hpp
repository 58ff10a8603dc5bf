// Errbacks that are called by the process whose task has failed.
#pragma once

#include "protocol/canvas/signature.hpp"
#include "protocol/task/context.hpp"

namespace umbel {

/// Calls an errback, within the failed run. What it throws is logged.
/// @param failure what it gets before its own arguments, unless it is immutable
/// @returns false for a coroutine, which would hold up the outcome: it did not run
/// @pre the task is one of this process
bool call_errback(context& failed, const canvas::signature& errback,
                  const json::array& failure);

} // namespace umbel
