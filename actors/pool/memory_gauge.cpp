#include "actors/pool/memory_gauge.hpp"

#include <cstdio>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace umbel {

memory_gauge::memory_gauge(pid_t pid)
  : file_(open(("/proc/" + std::to_string(pid) + "/statm").c_str(),
               O_RDONLY | O_CLOEXEC)) {
}

memory_gauge::memory_gauge(memory_gauge&& other) noexcept
  : file_(std::exchange(other.file_, -1)) {
}

memory_gauge& memory_gauge::operator=(memory_gauge&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

memory_gauge::~memory_gauge() {
  if (file_ >= 0)
    close(file_);
}

size_t memory_gauge::read() const {
  static const auto page_kib = static_cast<size_t>(sysconf(_SC_PAGESIZE)) / 1024;
  // Seven numbers of pages; the second one is what is resident.
  char text[160];
  auto n = file_ < 0 ? -1 : pread(file_, text, sizeof(text) - 1, 0);
  if (n <= 0)
    return 0;
  text[n] = '\0';
  size_t resident = 0;
  return std::sscanf(text, "%*u %zu", &resident) == 1 ? resident * page_kib : 0;
}

} // namespace umbel
