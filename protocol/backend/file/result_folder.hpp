// A folder of results as Celery's filesystem backend keeps them: one file for each
// task, <folder>/celery-task-meta-<id>, with the meta document.
//
// Celery writes into the file itself; Umbel replaces it in one step, so that nobody
// reads half of a document, and never replaces a SUCCESS: it looks under the lock of
// the folder (a flock, which Python peers do not know).
#pragma once

#include "protocol/backend/result_record.hpp"
#include "protocol/backend/result_store.hpp"
#include "protocol/broker/filesystem/transaction.hpp"
#include "protocol/message/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace umbel::file_backend {

class result_folder {
public:
  /// @param url "file:///path" or "file://localhost/path"
  /// @returns `invalid_setting` if there is no such folder, or it cannot be written
  static expected<result_folder> open(const std::string& url,
                                      const result_store_options& options);

  const std::string& path() const noexcept {
    return path_;
  }

  expected<filesystem::folder_lock> lock() const;

  std::string path_of(const task_id& id) const;

  /// The file's name alone.
  std::string name_of(const task_id& id) const;

  bool has_success(const task_id& id) const;

  std::optional<std::string> read(const task_id& id) const;

  /// Replaces the document, but for a SUCCESS. @pre whoever calls has the lock
  expected<void> write(const result_record& x) const;

  /// Removes what has expired, by the time of its last change, as `celery beat`'s
  /// clean-up does. At most once an hour.
  void sweep();

private:
  result_folder(std::string path, std::string prefix, std::chrono::seconds expires)
      : path_(std::move(path)), prefix_(std::move(prefix)), expires_(expires) {
  }

  std::string path_;
  std::string prefix_;
  std::chrono::seconds expires_;
  timestamp next_sweep_{};
};

} // namespace umbel::file_backend
