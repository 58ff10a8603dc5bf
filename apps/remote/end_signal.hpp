// SIGINT and SIGTERM, for commands that show something until they are told to end.
#pragma once

namespace umbel {

/// From now on the signals do not end the process: `end_signalled` says that one
/// came. SIGHUP too: a terminal that went away has to be left tidily.
void expect_end_signal();

bool end_signalled() noexcept;

} // namespace umbel
