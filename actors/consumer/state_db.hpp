// What a worker remembers between its lives (-S, worker_state_db): the revoked
// tasks. One SQLite file, kept locked while it is open.
//
// What `save` has returned from is on the disk, whatever becomes of the process
// or the machine. Times are those of the wall clock, so that they mean something
// after a reboot. A file that is not ours or is damaged is an error and is left
// as it is.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/time.hpp"
#include "protocol/names.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace umbel {

class state_db {
public:
  /// A revoked task, and when it was revoked.
  using entry = std::pair<task_id, timestamp>;

  /// Opens the file or makes it.
  /// @param max how many revoked tasks it keeps, the youngest
  /// @returns `invalid_setting` with the path and what is wrong
  static expected<std::unique_ptr<state_db>> open(const std::string& path,
                                                  size_t max);

  state_db(const state_db&) = delete;
  state_db& operator=(const state_db&) = delete;
  ~state_db();

  /// All revoked tasks, the oldest first.
  expected<std::vector<entry>> load();

  /// Adds these revoked tasks, all or none. Blocks until they are on the disk.
  /// @returns `unavailable` (disk full, for instance)
  expected<void> save(std::span<const entry> xs);

private:
  struct implementation;

  explicit state_db(std::unique_ptr<implementation> x);

  std::unique_ptr<implementation> impl_;
};

} // namespace umbel
