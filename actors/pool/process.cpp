#include "actors/pool/process.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace umbel {

expected<child_process> start_child(const std::string& executable) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    return error{errc::unavailable,
                 fmt::format("cannot make a socket for a child: {}",
                             strerror(errno))};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fds[1], child_socket_fd);
  posix_spawn_file_actions_addclosefrom_np(&actions, child_socket_fd + 1);
  // The parent blocks signals in all its threads and masks are inherited.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  sigset_t ignored;
  sigemptyset(&ignored);
  sigaddset(&ignored, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &ignored);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  char* argv[] = {const_cast<char*>(executable.c_str()), nullptr};
  auto failure = posix_spawn(&pid, executable.c_str(), &actions, &attributes,
                             argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(fds[1]);
  if (failure != 0) {
    close(fds[0]);
    return error{errc::unavailable,
                 fmt::format("cannot start the child program {}: {}",
                             executable, strerror(failure))};
  }
  return child_process{pid, fds[0]};
}

std::optional<std::string> reap(pid_t pid) {
  int status = 0;
  auto result = waitpid(pid, &status, WNOHANG);
  if (result == 0)
    return std::nullopt;
  if (result < 0)
    return "unknown end";
  if (WIFSIGNALED(status)) {
    auto number = WTERMSIG(status);
    auto abbreviation = sigabbrev_np(number);
    return fmt::format("signal {} (SIG{})", number,
                       abbreviation ? abbreviation : "?");
  }
  return fmt::format("exit status {}", WEXITSTATUS(status));
}

} // namespace umbel
