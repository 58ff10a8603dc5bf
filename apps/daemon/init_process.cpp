#include "apps/daemon/init_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/wait.h>
#include <unistd.h>

namespace umbel {

namespace {

int exit_status(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Collects what has ended. @returns the worker's status if it is among it.
std::optional<int> reap(pid_t worker) {
  std::optional<int> result;
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == worker)
      result = exit_status(status);
  return result;
}

int serve(pid_t worker, const sigset_t& all) {
  for (;;) {
    siginfo_t info;
    auto number = sigwaitinfo(&all, &info);
    if (number == SIGCHLD) {
      if (auto status = reap(worker))
        return *status;
    } else if (number > 0 && info.si_code != SI_KERNEL) {
      // What the kernel sends (^C) goes to the whole group by itself.
      kill(worker, number);
    }
  }
}

} // namespace

std::optional<int> run_as_init(const std::string& name) {
  if (getpid() != 1)
    return std::nullopt;
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  std::fflush(nullptr);
  auto worker = fork();
  if (worker < 0) {
    std::fprintf(stderr, "%s: cannot fork: %s\n", name.c_str(),
                 std::strerror(errno));
    return EXIT_FAILURE;
  }
  if (worker > 0)
    return serve(worker, all);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return std::nullopt;
}

} // namespace umbel
