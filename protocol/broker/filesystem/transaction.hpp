// Changes of many files in one step that a kill cannot cut in two.
//
// 1. A transaction holds the lock: an exclusive flock on a folder, which ends with
//    its process. Python peers do not know it; they only add files that are not
//    yet complete, and take files by renaming them, and of two who rename the same
//    file one succeeds.
// 2. What is to be written is first written into stage/.
// 3. The commit is a file with all changes, renames and removals, that gets its
//    name `journal` when it is complete. A single change needs none.
// 4. Then the changes are made, and the journal goes. Whoever finds a journal when
//    he gets the lock makes its changes again: each names a file that only exists
//    if the change has not been made.
//
// No file is synchronised with the disk: what is committed survives the death of
// any process, not that of the machine. kombu promises the same.
#pragma once

#include "protocol/error.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::filesystem {

/// The lock of a folder, while it lives.
class folder_lock {
public:
  /// @returns `timeout` if somebody else keeps it for so long
  static expected<folder_lock> take(const std::string& folder,
                                    std::chrono::milliseconds timeout);

  folder_lock(folder_lock&& other) noexcept;
  folder_lock& operator=(folder_lock&&) = delete;
  ~folder_lock();

private:
  explicit folder_lock(int fd) : fd_(fd) {
  }

  int fd_;
};

class transaction {
public:
  /// Takes the lock of Umbel's folder, and finishes what a predecessor committed.
  static expected<transaction> begin(const std::string& own,
                                     std::chrono::milliseconds timeout);

  transaction(transaction&&) = default;
  transaction& operator=(transaction&&) = delete;

  /// Removes what was staged in vain.
  ~transaction();

  void move(const std::string& from, const std::string& to);

  void remove(const std::string& path);

  /// Makes a file, or replaces it.
  void write(std::string_view bytes, const std::string& to);

  /// @returns the first error of all changes. If there is one, nothing has
  /// happened, or the next transaction of anybody completes it.
  expected<void> commit();

private:
  struct change {
    std::string from;
    std::string to; ///< empty: remove
  };

  transaction(folder_lock lock, std::string own)
      : lock_(std::move(lock)), own_(std::move(own)) {
  }

  std::string journal() const;
  expected<void> replay();
  static expected<void> apply(const std::vector<change>& changes);

  folder_lock lock_;
  std::string own_;
  std::vector<change> changes_;
  std::vector<std::string> staged_;
  expected<void> state_;
};

/// Makes a file of these bytes, which must not exist.
expected<void> write_new(const std::string& path, std::string_view bytes);

} // namespace umbel::filesystem
