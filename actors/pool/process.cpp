#include "actors/pool/process.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace umbel {

expected<socket_pair> make_socket_pair(int type) {
  int fds[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0)
    return error{errc::unavailable,
                 fmt::format("cannot make a socket for a child: {}",
                             strerror(errno))};
  return socket_pair{fds[0], fds[1]};
}

namespace {

/// As the system wants them: the last one is null.
std::vector<char*> pointers_to(const std::vector<std::string>& xs) {
  std::vector<char*> result;
  for (auto& x : xs)
    result.push_back(const_cast<char*>(x.c_str()));
  result.push_back(nullptr);
  return result;
}

} // namespace

expected<pid_t> start_process(const std::vector<std::string>& argv,
                              const std::vector<int>& inherited,
                              const std::vector<std::string>& more_environment) {
  auto& program = argv.front();
  auto failed = [&](int number) {
    return error{errc::unavailable,
                 fmt::format("cannot start the child program {}: {}", program,
                             strerror(number))};
  };
  // Out of the way first: one may have the number that another is to get.
  auto end_fd = first_inherited_fd + static_cast<int>(inherited.size());
  std::vector<int> sources;
  auto close_sources = [&] {
    for (auto fd : sources)
      close(fd);
  };
  for (auto fd : inherited) {
    auto copy = fcntl(fd, F_DUPFD_CLOEXEC, end_fd);
    if (copy < 0) {
      auto number = errno;
      close_sources();
      return failed(number);
    }
    sources.push_back(copy);
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (size_t i = 0; i < sources.size(); ++i)
    posix_spawn_file_actions_adddup2(&actions, sources[i],
                                     first_inherited_fd + static_cast<int>(i));
  posix_spawn_file_actions_addclosefrom_np(&actions, end_fd);
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
  auto arguments = pointers_to(argv);
  auto environment = pointers_to(more_environment);
  for (auto x = environ; *x; ++x)
    environment.insert(environment.end() - 1, *x);
  pid_t pid = -1;
  auto number = posix_spawn(&pid, program.c_str(), &actions, &attributes,
                            arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close_sources();
  if (number != 0)
    return failed(number);
  return pid;
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
