#include "apps/log_file.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace umbel {

namespace {

int open_log(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

} // namespace

expected<std::shared_ptr<log_file>> log_file::open(const std::string& path) {
  std::error_code ignored;
  auto full = std::filesystem::absolute(path, ignored).string();
  auto fd = open_log(full);
  if (fd < 0)
    return error{errc::unavailable, "cannot open the log file " + path + ": "
                                        + std::strerror(errno)};
  return std::shared_ptr<log_file>{new log_file{std::move(full), fd}};
}

log_file::log_file(std::string path, int fd)
    : path_(std::move(path)), fd_(fd) {
}

log_file::~log_file() {
  close(fd_);
}

void log_file::take_standard_output() {
  std::lock_guard guard{mutex_};
  takes_output_ = true;
  dup2(fd_, STDOUT_FILENO);
  dup2(fd_, STDERR_FILENO);
}

void log_file::sink_it_(const spdlog::details::log_msg& message) {
  reopen_if_moved();
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  // A full disk must not stop the worker: the line is lost.
  std::string_view rest{line.data(), line.size()};
  while (!rest.empty()) {
    auto n = write(fd_, rest.data(), rest.size());
    if (n >= 0)
      rest.remove_prefix(static_cast<size_t>(n));
    else if (errno != EINTR)
      break;
  }
}

void log_file::reopen_if_moved() {
  struct stat named, opened;
  if (stat(path_.c_str(), &named) == 0 && fstat(fd_, &opened) == 0
      && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev)
    return;
  auto fd = open_log(path_);
  if (fd < 0)
    return; // better the old file than none
  close(fd_);
  fd_ = fd;
  if (takes_output_) {
    dup2(fd_, STDOUT_FILENO);
    dup2(fd_, STDERR_FILENO);
  }
}

} // namespace umbel
