#include "protocol/broker/filesystem/watch.hpp"

#include "protocol/broker/filesystem/folders.hpp"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace umbel::filesystem {

expected<watch> watch::open(const std::string& folder) {
  auto fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0 && errno == EMFILE)
    return error{errc::invalid_setting,
                 "cannot wait for '" + folder
                   + "': too many waiters of this user; raise "
                     "fs.inotify.max_user_instances (sysctl)"};
  if (fd < 0)
    return failure("wait for", folder);
  watch result{folder, fd};
  if (::inotify_add_watch(fd, folder.c_str(),
                          IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR)
      < 0)
    return failure("watch", folder);
  return result;
}

watch::watch(watch&& other) noexcept
    : folder_(std::move(other.folder_)), fd_(std::exchange(other.fd_, -1)) {
}

watch::~watch() {
  if (fd_ >= 0)
    ::close(fd_);
}

expected<void>
watch::wait(wake_event& wake, std::chrono::milliseconds timeout,
            const std::function<bool(std::string_view)>& wanted) {
  using clock = std::chrono::steady_clock;
  auto end = clock::now() + timeout;
  for (auto found = false;;) {
    alignas(inotify_event) char buffer[16'384];
    ssize_t size = 0;
    while ((size = ::read(fd_, buffer, sizeof(buffer))) > 0)
      for (ssize_t i = 0; i < size;) {
        auto x = reinterpret_cast<const inotify_event*>(buffer + i);
        if (x->mask & (IN_IGNORED | IN_UNMOUNT))
          return error{errc::unavailable,
                       "the folder '" + folder_ + "' was removed"};
        found = wanted(x->len > 0 ? std::string_view{x->name} : "") || found;
        i += static_cast<ssize_t>(sizeof(inotify_event)) + x->len;
      }
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now());
    if (found || left.count() <= 0)
      left = std::chrono::milliseconds{0};
    pollfd fds[] = {{wake.fd(), POLLIN, 0}, {fd_, POLLIN, 0}};
    auto count = ::poll(fds, found ? 1 : 2, static_cast<int>(left.count()));
    if (count < 0 && errno != EINTR)
      return failure("wait for", folder_);
    if (fds[0].revents != 0 || found || left.count() == 0) {
      wake.clear();
      return {};
    }
  }
}

} // namespace umbel::filesystem
