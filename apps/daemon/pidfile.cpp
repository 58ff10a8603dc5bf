#include "apps/daemon/pidfile.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace umbel {

namespace {

using namespace std::chrono_literals;

/// Somebody who only looks holds the lock no longer than a moment.
constexpr auto lookers_time = 2s;

std::optional<pid_t> read_pid(int fd) {
  char text[32] = {};
  auto n = pread(fd, text, sizeof(text) - 1, 0);
  pid_t result = 0;
  if (n <= 0 || std::from_chars(text, text + n, result).ec != std::errc{}
      || result <= 0)
    return std::nullopt;
  return result;
}

/// Whether `path` still names the file that was opened.
bool is_same_file(int fd, const std::string& path) {
  struct stat opened, named;
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0
         && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

error running(const std::string& path, std::optional<pid_t> pid) {
  return {errc::refused, "Pidfile (" + path
                             + ") already exists. Seems we're already running? "
                               "(pid: "
                             + (pid ? std::to_string(*pid) : "not written yet")
                             + ')'};
}

error path_failed(const std::string& verb, const std::string& path) {
  return {errc::unavailable,
          "cannot " + verb + " pidfile " + path + ": " + std::strerror(errno)};
}

} // namespace

pidfile::pidfile(pidfile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {
}

pidfile& pidfile::operator=(pidfile&& other) noexcept {
  release();
  path_ = std::move(other.path_);
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

pidfile::~pidfile() {
  release();
}

expected<pidfile> pidfile::acquire(const std::string& path, bool restarted) {
  pidfile result;
  std::error_code ignored;
  result.path_ = std::filesystem::absolute(path, ignored).string();
  auto deadline = std::chrono::steady_clock::now() + lookers_time;
  for (;;) {
    auto fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                   0644);
    if (fd < 0)
      return path_failed("open", path);
    result.fd_ = fd;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
      if (is_same_file(fd, path))
        break;
      // Its owner removed it in the meantime: this is a file without a name.
    } else if (errno != EWOULDBLOCK) {
      auto x = path_failed("lock", path);
      close(std::exchange(result.fd_, -1));
      return x;
    } else {
      auto pid = read_pid(fd);
      if (!restarted || pid != getpid()
          || std::chrono::steady_clock::now() > deadline) {
        close(std::exchange(result.fd_, -1));
        return running(path, pid);
      }
      std::this_thread::sleep_for(5ms);
    }
    close(std::exchange(result.fd_, -1));
  }
  // A pid of our own was left by a former life in another container.
  auto pid = read_pid(result.fd_);
  if (pid && *pid != getpid() && is_alive(*pid)) {
    close(std::exchange(result.fd_, -1));
    return running(path, pid);
  }
  auto text = std::to_string(getpid()) + '\n';
  if (ftruncate(result.fd_, 0) != 0
      || pwrite(result.fd_, text.data(), text.size(), 0)
             != static_cast<ssize_t>(text.size()))
    return path_failed("write", path);
  return result;
}

void pidfile::release() noexcept {
  if (fd_ < 0)
    return;
  if (is_same_file(fd_, path_))
    unlink(path_.c_str());
  close(std::exchange(fd_, -1));
}

std::optional<pid_t> read_pidfile(const std::string& path) {
  auto fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return std::nullopt;
  auto result = read_pid(fd);
  close(fd);
  return result;
}

bool is_alive(pid_t pid) {
  if (kill(pid, 0) != 0 && errno != EPERM)
    return false;
  // One that has ended and that nobody collects is there and not alive.
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string text;
  std::getline(file, text);
  auto name_end = text.rfind(')');
  return name_end == text.npos || name_end + 2 >= text.size()
         || (text[name_end + 2] != 'Z' && text[name_end + 2] != 'X');
}

} // namespace umbel
