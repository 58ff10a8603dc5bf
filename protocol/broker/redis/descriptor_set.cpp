#include "protocol/broker/redis/descriptor_set.hpp"

#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <unistd.h>

namespace umbel::redis {

namespace {

epoll_event events_of(bool output) {
  epoll_event result{};
  result.events = output ? EPOLLIN | EPOLLOUT : EPOLLIN;
  return result;
}

error failure() {
  return {errc::unavailable,
          std::string{"cannot watch a connection: "} + std::strerror(errno)};
}

} // namespace

expected<descriptor_set> descriptor_set::make() {
  auto fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0)
    return failure();
  return descriptor_set{fd};
}

descriptor_set::~descriptor_set() {
  if (fd_ >= 0)
    ::close(fd_);
}

expected<void> descriptor_set::add(int fd) {
  auto events = events_of(false);
  if (::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &events) != 0)
    return failure();
  return {};
}

void descriptor_set::watch_output(int fd, bool output) noexcept {
  auto events = events_of(output);
  ::epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &events);
}

} // namespace umbel::redis
