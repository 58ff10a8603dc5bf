#include "protocol/broker/sqlite/bell.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace umbel::sqlite {

namespace {

error failure(const std::string& path, const char* what) {
  return {errc::unavailable,
          fmt::format("cannot {} '{}': {}", what, path, std::strerror(errno))};
}

} // namespace

std::string bell_path(const std::string& database, topic what) {
  switch (what) {
    case topic::messages:
      return database + "-messages";
    case topic::broadcasts:
      return database + "-broadcasts";
    case topic::results:
      break;
  }
  return database + "-results";
}

void ring(const std::string& database, topic what) noexcept {
  ::utimensat(AT_FDCWD, bell_path(database, what).c_str(), nullptr, 0);
}

expected<bell> bell::open(const std::string& database, topic what, bool log) {
  auto path = bell_path(database, what);
  auto fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0 && errno == EMFILE)
    return error{errc::invalid_setting,
                 "cannot wait for '" + path
                   + "': too many waiters of this user; raise "
                     "fs.inotify.max_user_instances (sysctl)"};
  if (fd < 0)
    return failure(path, "wait for");
  bell result{std::move(path), database, fd, log};
  if (auto done = result.watch(); !done)
    return done.error();
  return result;
}

bell::~bell() {
  if (fd_ >= 0)
    ::close(fd_);
}

// Who may use the database may ring: owner and mode are the database's.
expected<void> bell::watch() {
  struct stat x {};
  if (::stat(database_.c_str(), &x) != 0)
    return failure(database_, "look at");
  auto file = ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
                     0600);
  if (file >= 0) {
    [[maybe_unused]] auto owned = ::fchown(file, x.st_uid, x.st_gid);
    ::fchmod(file, x.st_mode & 0777);
    ::close(file);
  } else if (errno != EEXIST) {
    return failure(path_, "make");
  }
  if (::inotify_add_watch(fd_, path_.c_str(), IN_ATTRIB | IN_MODIFY) < 0)
    return failure(path_, "watch");
  if (!watch_log_)
    return {};
  auto log = database_ + "-wal";
  log_ = ::inotify_add_watch(fd_, log.c_str(), IN_MODIFY);
  return log_ < 0 ? failure(log, "watch") : expected<void>{};
}

expected<waking> bell::read() {
  alignas(inotify_event) char buffer[4'096];
  auto result = waking::timeout;
  auto watched = true;
  ssize_t size = 0;
  while ((size = ::read(fd_, buffer, sizeof(buffer))) > 0)
    for (ssize_t i = 0; i < size;) {
      auto x = reinterpret_cast<const inotify_event*>(buffer + i);
      if (x->mask & IN_IGNORED) // the file is no longer there
        watched = false;
      if (x->wd != log_)
        result = waking::rung;
      else if (result == waking::timeout)
        result = waking::written;
      i += static_cast<ssize_t>(sizeof(inotify_event)) + x->len;
    }
  if (watched)
    return result;
  auto done = watch();
  return done ? expected<waking>{result} : done.error();
}

expected<waking> bell::wait(wake_event& wake,
                            std::chrono::milliseconds timeout) {
  pollfd fds[] = {{wake.fd(), POLLIN, 0}, {fd_, POLLIN, 0}};
  if (::poll(fds, 2, static_cast<int>(timeout.count())) < 0 && errno != EINTR)
    return failure(path_, "wait for");
  auto interrupted = fds[0].revents != 0;
  if (interrupted) // a signal that comes now is for the next wait
    wake.clear();
  auto result = read();
  return result && interrupted ? waking::interrupted : result;
}

} // namespace umbel::sqlite
