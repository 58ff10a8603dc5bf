// Signals that end what a command goes on with.
#pragma once

#include <initializer_list>

namespace umbel {

/// From now on these signals do not end the process: `end_signalled` says that one
/// came.
/// @param flags of sigaction: with SA_RESETHAND the second one kills
void expect_end_signal(std::initializer_list<int> signals, int flags = 0);

bool end_signalled() noexcept;

} // namespace umbel
