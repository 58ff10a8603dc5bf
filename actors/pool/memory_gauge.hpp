// The resident memory of another process, from /proc/<pid>/statm.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace umbel {

/// Keeps its file open: one look is one read, a few microseconds.
class memory_gauge {
public:
  memory_gauge() = default;

  explicit memory_gauge(pid_t pid);

  memory_gauge(memory_gauge&& other) noexcept;

  memory_gauge& operator=(memory_gauge&& other) noexcept;

  ~memory_gauge();

  /// What is resident now, in KiB. 0 if there is no such process any more, or
  /// the gauge was made without one.
  size_t read() const;

private:
  int file_ = -1;
};

} // namespace umbel
