#include "protocol/broker/redis/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace umbel::redis {

namespace {

using clock = std::chrono::steady_clock;

// A network that dies silently is noticed by the kernel: when idle, by
// keepalive after keepalive_idle + keepalive_count * keepalive_interval; with
// data on the way, after unacknowledged_max. Smaller: more traffic, and short
// outages break connections. Larger: a dead network goes unnoticed for longer.
constexpr int keepalive_idle = 10;    // seconds
constexpr int keepalive_interval = 3; // seconds
constexpr int keepalive_count = 3;
constexpr unsigned unacknowledged_max = 20'000; // milliseconds

void set_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof(value));
}

void tune_tcp(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive_count);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_max);
}

// Connects within the deadline. @returns an errno value, 0 for success.
int connect_until(int fd, const sockaddr* where, socklen_t size,
                  clock::time_point deadline) {
  if (::connect(fd, where, size) == 0)
    return 0;
  // A unix socket whose backlog is full says EAGAIN, and means "refused".
  if (errno != EINPROGRESS)
    return errno == EAGAIN ? ECONNREFUSED : errno;
  for (;;) {
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
    pollfd pfd{fd, POLLOUT, 0};
    auto n =
        ::poll(&pfd, 1, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (n == 0)
      return ETIMEDOUT;
    if (n < 0 && errno != EINTR)
      return errno;
    if (n > 0)
      break;
  }
  int status = 0;
  socklen_t status_size = sizeof(status);
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &status, &status_size);
  return status;
}

error failure(const address& where, int code) {
  return {code == ETIMEDOUT ? errc::timeout : errc::unavailable,
          "cannot connect to " + where.str() + ": " + std::strerror(code)};
}

// One attempt on one socket address.
int try_connect(int family, const sockaddr* where, socklen_t size,
                clock::time_point deadline, int& status) {
  auto fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    status = errno;
    return -1;
  }
  status = connect_until(fd, where, size, deadline);
  if (status != 0) {
    ::close(fd);
    return -1;
  }
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  return fd;
}

expected<int> open_unix(const address& where, clock::time_point deadline) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (where.socket_path.size() >= sizeof(name.sun_path))
    return error{errc::invalid_setting, "the path of the unix socket is too "
                                        "long: "
                                            + where.str()};
  std::memcpy(name.sun_path, where.socket_path.data(),
              where.socket_path.size());
  int status = 0;
  auto fd = try_connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&name),
                        sizeof(name), deadline, status);
  if (fd < 0)
    return failure(where, status);
  return fd;
}

expected<int> open_tcp(const address& where, clock::time_point deadline) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  auto port = std::to_string(where.port);
  if (auto code =
          ::getaddrinfo(where.host.c_str(), port.c_str(), &hints, &found);
      code != 0)
    return error{errc::unavailable, "cannot connect to " + where.str() + ": "
                                        + ::gai_strerror(code)};
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> guard{found,
                                                             ::freeaddrinfo};
  int status = ECONNREFUSED;
  for (auto* x = found; x != nullptr; x = x->ai_next) {
    auto fd =
        try_connect(x->ai_family, x->ai_addr, x->ai_addrlen, deadline, status);
    if (fd >= 0) {
      tune_tcp(fd);
      return fd;
    }
  }
  return failure(where, status);
}

} // namespace

expected<int> open_socket(const address& where,
                          std::chrono::milliseconds connect_timeout,
                          std::chrono::milliseconds socket_timeout) {
  auto deadline = clock::now() + connect_timeout;
  auto fd = where.socket_path.empty() ? open_tcp(where, deadline)
                                      : open_unix(where, deadline);
  if (fd)
    set_socket_timeout(*fd, socket_timeout);
  return fd;
}

void set_socket_timeout(int fd, std::chrono::milliseconds timeout) {
  timeval tv{};
  tv.tv_sec = timeout.count() / 1000;
  tv.tv_usec = timeout.count() % 1000 * 1000;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

} // namespace umbel::redis
