#include "protocol/broker/wake_event.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <sys/eventfd.h>
#include <unistd.h>

namespace umbel {

expected<wake_event> wake_event::make() {
  auto fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0)
    return error{errc::unavailable, std::string{"cannot create an eventfd: "}
                                        + std::strerror(errno)};
  return wake_event{fd};
}

wake_event::~wake_event() {
  if (fd_ >= 0)
    ::close(fd_);
}

void wake_event::signal() noexcept {
  uint64_t one = 1;
  [[maybe_unused]] auto n = ::write(fd_, &one, sizeof(one));
}

void wake_event::clear() noexcept {
  uint64_t count = 0;
  [[maybe_unused]] auto n = ::read(fd_, &count, sizeof(count));
}

} // namespace umbel
