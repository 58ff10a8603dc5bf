// What a service manager (systemd) is told: readiness, status, signs of life.
//
// The protocol is datagrams of "NAME=value" lines to the socket that NOTIFY_SOCKET
// names; see sd_notify(3), which invites programs to speak it themselves.
// libsystemd would bring eight more libraries into each worker: 1.4 ms of its
// 13 ms to start, and 0.9 MiB, measured on Debian 12.
#pragma once

#include "apps/configure.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace umbel {

class service_manager {
public:
  explicit service_manager(const environment& variables);

  /// Sends e.g. "READY=1\nSTATUS=...". Never blocks and never fails: without a
  /// service manager nothing happens. From any thread.
  void notify(const std::string& lines) const noexcept;

  /// How long it waits for the next sign of life ("WATCHDOG=1") of this
  /// process; nothing if it does not care.
  std::optional<std::chrono::microseconds> watchdog() const noexcept {
    return watchdog_;
  }

private:
  std::string socket_; ///< empty: there is none
  std::optional<std::chrono::microseconds> watchdog_;
};

} // namespace umbel
