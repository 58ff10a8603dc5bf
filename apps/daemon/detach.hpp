// --detach: a worker in the background.
//
// Two forks and a session of its own, so that no terminal can reach the daemon.
// Unlike Celery's, the process that was started stays until the daemon works or
// has failed, and ends with its status: a start script knows what happened. Up
// to that moment it shows what the daemon writes to standard error.
#pragma once

#include "protocol/error.hpp"

#include <chrono>
#include <optional>

namespace umbel {

/// The daemon's end of the line to its launcher.
class start_report {
public:
  /// @param fd owned; -1: there is no launcher
  explicit start_report(int fd = -1) noexcept : fd_(fd) {
  }

  start_report(start_report&& other) noexcept;
  start_report& operator=(start_report&& other) noexcept;
  ~start_report();

  /// Lets the launcher go. From any thread; the second call does nothing.
  void ready() noexcept;

  int fd() const noexcept {
    return fd_;
  }

private:
  int fd_;
};

/// What `detach` returned in which of the two processes.
struct detached {
  start_report report;            ///< in the daemon
  std::optional<int> exit_status; ///< in the launcher: what to end with
};

/// Returns twice: in the daemon at once, its standard input empty, its output a
/// line to the launcher; in the launcher when the daemon has
/// reported, has ended, or has been neither ready nor dead for `patience`. Call
/// it before any thread is started.
/// @param name put before what the launcher says on standard error
expected<detached> detach(const std::string& name,
                          std::chrono::seconds patience);

/// Opens those of the three standard streams that are closed, so that no other
/// file takes their numbers. Call it first.
void complete_standard_streams();

/// Gives up standard output and error: /dev/null takes their place.
void leave_standard_output();

} // namespace umbel
