// Ends a wait in poll from another thread: an eventfd.
#pragma once

#include "protocol/error.hpp"

#include <utility>

namespace umbel {

/// Stays signalled until it is cleared.
class wake_event {
public:
  /// @returns `unavailable` if there are no descriptors left.
  static expected<wake_event> make();

  wake_event(wake_event&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {
  }

  wake_event& operator=(wake_event&&) = delete;

  ~wake_event();

  /// From any thread.
  void signal() noexcept;

  /// Does nothing if it is not signalled.
  void clear() noexcept;

  /// Readable while it is signalled.
  int fd() const noexcept {
    return fd_;
  }

private:
  explicit wake_event(int fd) noexcept : fd_(fd) {
  }

  int fd_;
};

} // namespace umbel
