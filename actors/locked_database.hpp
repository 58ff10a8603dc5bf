// A SQLite file that one process has for itself: what an actor remembers from one
// life of the process to the next.
//
//  1. `open` makes the file or refuses it with one line that says why: it is no
//     database, somebody else's, damaged, read-only, or in use. What is refused is
//     left as it is.
//  2. It stays locked while it is open: a second process is told so at once.
//  3. A commit returns when the disk has it.
#pragma once

#include "protocol/error.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

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
};

class locked_database {
public:
  struct finalizer {
    void operator()(sqlite3_stmt* x) const noexcept;
  };

  using statement = std::unique_ptr<sqlite3_stmt, finalizer>;

  /// @returns `invalid_setting` with the path and what is wrong
  static expected<locked_database> open(std::string path,
                                        const database_kind& kind);

  /// Runs SQL that has no parameters.
  bool run(const char* sql);

  /// Null if it does not fit the file.
  statement prepare(const char* sql);

  /// All that `f` does, or nothing. `f` says whether it went well.
  /// @returns `unavailable` (disk full, for instance)
  template <class F>
  expected<void> transaction(F f) {
    if (run("BEGIN") && f() && run("COMMIT"))
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

  expected<void> set_up();
  std::optional<std::string> text(const char* sql);

  std::string path_;
  database_kind kind_;
  std::unique_ptr<sqlite3, closer> db_;
};

} // namespace umbel
