// Several descriptors behind one, by which an event loop can wait for all of
// them: an epoll instance, which is readable while one of them is ready.
#pragma once

#include "protocol/error.hpp"

#include <utility>

namespace umbel::redis {

class descriptor_set {
public:
  /// @returns `unavailable` if there are no descriptors left.
  static expected<descriptor_set> make();

  descriptor_set(descriptor_set&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {
  }

  descriptor_set& operator=(descriptor_set&&) = delete;

  ~descriptor_set();

  /// Watches whether `fd` is readable, until it is closed.
  expected<void> add(int fd);

  /// Watches whether a descriptor that was added takes more, or stops to.
  void watch_output(int fd, bool output) noexcept;

  int fd() const noexcept {
    return fd_;
  }

private:
  explicit descriptor_set(int fd) noexcept : fd_(fd) {
  }

  int fd_;
};

} // namespace umbel::redis
