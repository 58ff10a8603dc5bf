// Where tests keep files.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

#include <stdlib.h>
#include <sys/statvfs.h>

namespace umbel::test {

/// A new folder: in memory if there is room, because what is tested is what is
/// written and not how long a disk takes for it.
inline std::string new_scratch_folder() {
  constexpr unsigned long enough = 256 << 20;
  struct statvfs x {};
  auto memory = ::statvfs("/dev/shm", &x) == 0
                && x.f_bavail * x.f_frsize >= enough;
  auto parent = memory ? std::filesystem::path{"/dev/shm"}
                       : std::filesystem::temp_directory_path();
  auto pattern = (parent / "umbel-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::runtime_error("no folder for a test's files");
  return pattern;
}

} // namespace umbel::test
