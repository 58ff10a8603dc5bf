// Child processes: started by posix_spawn (the parent runs threads, so it must
// not fork), with one inherited socket and nothing else.
#pragma once

#include "protocol/error.hpp"

#include <sys/types.h>

#include <optional>
#include <string>

namespace umbel {

/// The descriptor under which a child finds its socket.
constexpr int child_socket_fd = 3;

struct child_process {
  pid_t pid = -1;
  int socket = -1; ///< the parent's end; the caller owns it
};

/// Starts `executable`. Its end of a socket pair is descriptor 3, its standard
/// streams are the parent's, its signal mask is empty.
/// @returns `unavailable` with the reason (no such file, out of processes).
expected<child_process> start_child(const std::string& executable);

/// Collects a child that has ended, without waiting for it.
/// @returns "exit status 1" or "signal 9 (SIGKILL)"; nothing while it lives.
std::optional<std::string> reap(pid_t pid);

} // namespace umbel
