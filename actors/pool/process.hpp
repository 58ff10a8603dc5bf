// Processes: started by posix_spawn (the parent runs threads, so it must not
// fork), with the descriptors that they are meant to have and no other.
#pragma once

#include "protocol/error.hpp"

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace umbel {

/// The first descriptor that a process inherits besides its standard streams.
constexpr int first_inherited_fd = 3;

/// Starts a program. It has `inherited` as descriptors 3, 4, ..., its standard
/// streams are the parent's, its signal mask is empty.
/// @param argv the program's path first
/// @param more_environment "NAME=value", besides this process's own
/// @returns `unavailable` with the reason (no such file, out of processes).
expected<pid_t> start_process(const std::vector<std::string>& argv,
                              const std::vector<int>& inherited,
                              const std::vector<std::string>& more_environment
                              = {});

/// Two connected sockets, closed on exec. @param type SOCK_STREAM or another
struct socket_pair {
  int ours = -1;
  int theirs = -1;
};
expected<socket_pair> make_socket_pair(int type);

/// Collects a child that has ended, without waiting for it.
/// @returns "exit status 1" or "signal 9 (SIGKILL)"; nothing while it lives.
std::optional<std::string> reap(pid_t pid);

} // namespace umbel
