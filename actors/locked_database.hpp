// A SQLite file that one process has for itself: what an actor remembers from one
// life of the process to the next.
//
//  1. `open` makes the file or refuses it with one line that says why: it is no
//     database, somebody else's, damaged, read-only, or in use. What is refused is
//     left as it is.
//  2. It stays locked while it is open: a second process is told so at once. A file
//     of `shared` kind has one owner, and guests beside him: they write, too.
//  3. A commit returns when the disk has it.
#pragma once

#include "protocol/error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

struct sqlite3;
struct sqlite3_stmt;

namespace umbel {

/// What sort of file it is.
struct database_kind {
  int application_id = 0;          ///< tells our files from those of others
  const char* make_tables = "";    ///< SQL for a new one; sets the id
  const char* name = "";           ///< "state file"
  const char* option = "";         ///< that names it: "--statedb"
  const char* owner = "";          ///< "a worker"
  const char* no_database = nullptr; ///< said of a file that is none; null:
                                     ///< what SQLite says
  bool shared = false;               ///< there may be guests
};

/// As what a file of `shared` kind is opened.
enum class database_role : uint8_t { owner, guest };

class locked_database {
public:
  struct finalizer {
    void operator()(sqlite3_stmt* x) const noexcept;
  };

  using statement = std::unique_ptr<sqlite3_stmt, finalizer>;

  /// @returns `invalid_setting` with the path and what is wrong
  static expected<locked_database>
  open(std::string path, const database_kind& kind,
       database_role role = database_role::owner);

  /// Whether some process is the owner of a file of `shared` kind. Not within a
  /// transaction on it: this process would lose SQLite's locks.
  static bool has_owner(const std::string& path);

  /// Runs SQL that has no parameters.
  bool run(const char* sql);

  /// Null if it does not fit the file.
  statement prepare(const char* sql);

  /// All that `f` does, or nothing. `f` says whether it went well.
  /// @returns `unavailable` (disk full, for instance)
  template <class F>
  expected<void> transaction(F f) {
    if (run("BEGIN IMMEDIATE") && f() && run("COMMIT"))
      return {};
    auto result = failure(errc::unavailable);
    run("ROLLBACK");
    return result;
  }

  /// The last failure; or another reason.
  error failure(errc code, std::string_view reason = {}) const;

private:
  struct closer {
    void operator()(sqlite3* x) const noexcept;
  };

  locked_database(std::string path, const database_kind& kind)
      : path_(std::move(path)), kind_(kind) {
  }

  /// The mark of the owner: a lock that goes with its process. Not SQLite's own, which
  /// would keep out guests.
  class ownership {
  public:
    ownership() = default;
    ownership(ownership&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {
    }
    ownership& operator=(ownership&& other) noexcept {
      std::swap(fd_, other.fd_);
      return *this;
    }
    ~ownership();

    /// @returns whether it has got it
    bool take(const char* path);

  private:
    int fd_ = -1;
  };

  expected<void> set_up(database_role role);
  std::optional<std::string> text(const char* sql);

  std::string path_;
  database_kind kind_;
  // Closed after the database: with any descriptor of a file that is closed, a
  // process loses the locks that SQLite has on it.
  ownership ownership_;
  std::unique_ptr<sqlite3, closer> db_;
};

} // namespace umbel
