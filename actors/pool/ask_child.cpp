#include "actors/pool/ask_child.hpp"

#include "actors/pool/process.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace umbel {

namespace {

using clock = std::chrono::steady_clock;

/// Reads to the end. @returns why not, or null
const char* read_all(int fd, clock::time_point deadline, size_t max,
                     std::string& to) {
  char buffer[65536];
  for (;;) {
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
    if (left.count() <= 0)
      return "no answer within";
    if (to.size() > max)
      return "too long an answer within";
    pollfd x{fd, POLLIN, 0};
    if (poll(&x, 1, static_cast<int>(left.count())) <= 0)
      continue;
    auto n = read(fd, buffer, sizeof(buffer));
    if (n == 0)
      return nullptr;
    if (n < 0 && errno != EINTR)
      return "no answer can be read within";
    if (n > 0)
      to.append(buffer, static_cast<size_t>(n));
  }
}

std::string end_of(int status) {
  if (!WIFSIGNALED(status))
    return fmt::format("it ended with exit status {}", WEXITSTATUS(status));
  auto name = sigabbrev_np(WTERMSIG(status));
  return fmt::format("it ended by signal {} (SIG{})", WTERMSIG(status),
                     name ? name : "?");
}

} // namespace

expected<json::object> ask_child(const std::vector<std::string>& argv,
                                 std::chrono::milliseconds patience,
                                 size_t answer_max) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0)
    return error{errc::unavailable, "no pipe can be made"};
  auto child = start_process(argv, {fds[1]});
  close(fds[1]);
  std::string text;
  const char* why = nullptr;
  if (child)
    why = read_all(fds[0], clock::now() + patience, answer_max, text);
  close(fds[0]);
  if (!child)
    return child.error();
  if (why)
    ::kill(*child, SIGKILL);
  int status = 0;
  while (waitpid(*child, &status, 0) < 0 && errno == EINTR) {
  }
  if (why)
    return error{errc::unavailable,
                 fmt::format("{} {:g} s", why,
                             std::chrono::duration<double>{patience}.count())};
  auto answer = parse_json(text);
  if (!answer || !answer->is_object())
    return error{errc::unavailable, end_of(status)};
  return std::move(answer->get_object());
}

} // namespace umbel
