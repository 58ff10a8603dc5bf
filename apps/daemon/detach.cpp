#include "apps/daemon/detach.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace umbel {

namespace {

error failed(const char* tried) {
  return {errc::unavailable, std::string{"cannot detach: "} + tried + ": "
                                 + std::strerror(errno)};
}

bool read_all(int fd, void* to, size_t size) {
  auto at = static_cast<char*>(to);
  while (size > 0) {
    auto n = ::read(fd, at, size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

/// How the daemon ended, before it was ready.
int collect(const std::string& name, pid_t daemon) {
  int status = 0;
  while (waitpid(daemon, &status, 0) < 0)
    if (errno != EINTR)
      return EXIT_FAILURE;
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  std::fprintf(stderr, "%s: killed by signal %d (%s) at its start\n",
               name.c_str(), WTERMSIG(status), strsignal(WTERMSIG(status)));
  return EXIT_FAILURE;
}

/// Copies what is there to standard error. @returns whether there may be more.
bool show(int fd) {
  char buffer[4096];
  auto n = ::read(fd, buffer, sizeof(buffer));
  if (n > 0)
    std::fwrite(buffer, 1, static_cast<size_t>(n), stderr);
  return n > 0 || (n < 0 && errno == EINTR);
}

/// The launcher's part.
int wait_for(const std::string& name, int line, int output,
             std::chrono::seconds patience) {
  using clock = std::chrono::steady_clock;
  pid_t daemon = -1;
  if (!read_all(line, &daemon, sizeof(daemon)))
    return EXIT_FAILURE;
  auto deadline = clock::now() + patience;
  pollfd fds[] = {{line, POLLIN, 0}, {output, POLLIN, 0}};
  while (fds[0].revents == 0) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline
                                                             - clock::now());
    if (left.count() <= 0) {
      std::fprintf(stderr,
                   "%s: process %d is not ready after %d s and goes on trying; "
                   "its log says why\n",
                   name.c_str(), daemon, static_cast<int>(patience.count()));
      return EXIT_SUCCESS;
    }
    if (poll(fds, 2, static_cast<int>(left.count())) > 0 && fds[1].revents != 0
        && !show(output))
      fds[1].fd = -1;
  }
  char ready = 0;
  auto status = read_all(line, &ready, 1) ? EXIT_SUCCESS : collect(name, daemon);
  // A child of the daemon may hold the other end: take only what is there.
  fcntl(output, F_SETFL, O_NONBLOCK);
  while (show(output))
    ;
  return status;
}

void put_in_place(int from, std::initializer_list<int> places) {
  for (auto place : places)
    dup2(from, place);
}

} // namespace

start_report::start_report(start_report&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {
}

start_report& start_report::operator=(start_report&& other) noexcept {
  if (fd_ >= 0)
    close(fd_);
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

start_report::~start_report() {
  if (fd_ >= 0)
    close(fd_);
}

void start_report::ready() noexcept {
  if (fd_ < 0)
    return;
  [[maybe_unused]] auto n = write(fd_, "R", 1);
  close(std::exchange(fd_, -1));
}

expected<detached> detach(const std::string& name,
                          std::chrono::seconds patience) {
  int line[2];
  int output[2];
  if (pipe2(line, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0)
    return failed("pipe");
  // The daemon becomes a child of this process, so that its end can be seen.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::fflush(nullptr);
  auto middle = fork();
  if (middle < 0)
    return failed("fork");
  if (middle > 0) {
    close(line[1]);
    close(output[1]);
    while (waitpid(middle, nullptr, 0) < 0 && errno == EINTR)
      ;
    return detached{start_report{}, wait_for(name, line[0], output[0], patience)};
  }
  close(line[0]);
  close(output[0]);
  setsid();
  auto last = fork();
  if (last != 0)
    _exit(last < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
  // The launcher may be gone.
  ::signal(SIGPIPE, SIG_IGN);
  auto self = getpid();
  auto null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || write(line[1], &self, sizeof(self)) != sizeof(self))
    _exit(EXIT_FAILURE);
  put_in_place(null, {STDIN_FILENO});
  put_in_place(output[1], {STDOUT_FILENO, STDERR_FILENO});
  close(null);
  close(output[1]);
  return detached{start_report{line[1]}, std::nullopt};
}

void complete_standard_streams() {
  int fd = 0;
  while (fd >= 0 && fd <= STDERR_FILENO)
    fd = open("/dev/null", O_RDWR);
  if (fd >= 0)
    close(fd);
}

void leave_standard_output() {
  auto null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0)
    return;
  put_in_place(null, {STDOUT_FILENO, STDERR_FILENO});
  close(null);
}

} // namespace umbel
