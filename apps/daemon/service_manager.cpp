#include "apps/daemon/service_manager.hpp"

#include <charconv>
#include <cstddef>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace umbel {

namespace {

std::optional<int64_t> number(const environment& variables, const char* name) {
  auto found = variables.find(name);
  if (found == variables.end())
    return std::nullopt;
  auto& text = found->second;
  int64_t result = 0;
  auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), result);
  if (failure != std::errc{} || end != text.data() + text.size() || result <= 0)
    return std::nullopt;
  return result;
}

} // namespace

service_manager::service_manager(const environment& variables) {
  if (auto found = variables.find("NOTIFY_SOCKET"); found != variables.end())
    socket_ = found->second;
  auto interval = number(variables, "WATCHDOG_USEC");
  auto whose = number(variables, "WATCHDOG_PID");
  if (interval && (!whose || *whose == getpid()))
    watchdog_ = std::chrono::microseconds{*interval};
}

void service_manager::notify(const std::string& lines) const noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.empty() || socket_.size() >= sizeof(address.sun_path))
    return;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_.front() == '@')
    address.sun_path[0] = '\0'; // an abstract name
  auto fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  sendto(fd, lines.data(), lines.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
         reinterpret_cast<sockaddr*>(&address),
         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path)
                                + socket_.size()));
  close(fd);
}

} // namespace umbel
