// Waits for files that come into a folder, without looking again and again.
#pragma once

#include "protocol/broker/wake_event.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace umbel::filesystem {

/// Knows of every file that is completed in the folder, moved there or closed by
/// its writer, since it was opened.
class watch {
public:
  /// @returns `unavailable`, or `invalid_setting` if a limit has to be raised
  static expected<watch> open(const std::string& folder);

  watch(watch&& other) noexcept;
  watch& operator=(watch&&) = delete;
  ~watch();

  /// Tells the names of all files that have come since the last call; if there
  /// were too many of them, an empty name. Returns when `wanted` has said true of
  /// one, `timeout` has passed, or `wake` is signalled, which is cleared.
  expected<void> wait(wake_event& wake, std::chrono::milliseconds timeout,
                      const std::function<bool(std::string_view)>& wanted);

private:
  watch(std::string folder, int fd) : folder_(std::move(folder)), fd_(fd) {
  }

  std::string folder_;
  int fd_; ///< of inotify
};

} // namespace umbel::filesystem
