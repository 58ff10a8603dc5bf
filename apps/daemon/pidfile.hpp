// A file with this process's id that no two living processes have.
//
// The lock (flock) decides, not the file: it goes with its process, however that
// ends, so two that start at the same time cannot both win. The id in the file
// is for people, for `umbel multi`, and for programs that do not lock (Celery):
// a file whose process lives is respected without a lock, too.
#pragma once

#include "protocol/error.hpp"

#include <optional>
#include <string>

#include <sys/types.h>

namespace umbel {

class pidfile {
public:
  // -- constructors, destructors, and assignment operators --------------------

  /// No file.
  pidfile() = default;

  pidfile(pidfile&& other) noexcept;

  pidfile& operator=(pidfile&& other) noexcept;

  /// Removes the file.
  ~pidfile();

  // -- life -------------------------------------------------------------------

  /// Writes this process's id into the file, in place of a dead process's.
  /// @param restarted this process had the file before it executed itself
  /// @returns `refused` when the file belongs to a living process,
  ///          `unavailable` when it cannot be written
  static expected<pidfile> acquire(const std::string& path,
                                   bool restarted = false);

  /// Removes the file, unless another one has been put in its place.
  void release() noexcept;

private:
  std::string path_; ///< absolute
  int fd_ = -1;
};

/// The id in a pidfile; nothing if there is no file or no number in it.
std::optional<pid_t> read_pidfile(const std::string& path);

/// Whether a process has this id.
bool is_alive(pid_t pid);

} // namespace umbel
