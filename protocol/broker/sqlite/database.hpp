// One connection to the file of an embedded broker.
//
//  1. `open` refuses what cannot work, with one line that says why: a folder that
//     is not there, a file that is no database, is somebody else's, is damaged,
//     is read-only or of a newer version, a network filesystem.
//  2. Statements are prepared once. The first failure is kept; after it nothing
//     runs any more until the transaction has ended and told it.
//  3. Who waits for another writer sleeps briefly and often, up to the address's
//     timeout.
//
// Used by one thread at a time.
#pragma once

#include "protocol/broker/sqlite/address.hpp"
#include "protocol/message/time.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include <sys/types.h>

struct sqlite3;
struct sqlite3_stmt;

namespace umbel::sqlite {

/// Text that is bound as a blob: any bytes, kept as they are.
struct blob {
  std::string_view bytes;
};

/// The rows of a statement, one after another. The statement can be run again
/// when this is gone.
class rows {
public:
  rows(class database& db, sqlite3_stmt* statement)
      : db_(db), statement_(statement) {
  }

  rows(const rows&) = delete;
  rows& operator=(const rows&) = delete;
  ~rows();

  /// Goes to the next row. @returns false behind the last one and after a
  /// failure
  bool next();

  int64_t integer(int column) const;

  /// Valid until the next row. Text or blob.
  std::string_view text(int column) const;

private:
  database& db_;
  sqlite3_stmt* statement_; // null: could not be prepared
};

class database {
public:
  /// Opens the file, or makes it with its tables.
  /// @returns `invalid_setting` for what an operator has to repair, `timeout` if
  ///          others keep it locked
  static expected<std::unique_ptr<database>> open(const address& where);

  database(const database&) = delete;
  database& operator=(const database&) = delete;
  ~database();

  const address& where() const noexcept {
    return where_;
  }

  /// Binds text as it stands: it must outlive the rows.
  template <class... Ts>
  rows select(const char* sql, const Ts&... xs) {
    auto statement = prepare(sql);
    int column = 0;
    (bind(statement, ++column, xs), ...);
    return rows{*this, statement};
  }

  /// Runs a statement to its end. @returns how many rows it changed
  template <class... Ts>
  int64_t run(const char* sql, const Ts&... xs) {
    select(sql, xs...).next();
    return changes();
  }

  /// The first column of the first row, a number.
  template <class... Ts>
  std::optional<int64_t> number(const char* sql, const Ts&... xs) {
    auto found = select(sql, xs...);
    return found.next() ? std::optional{found.integer(0)} : std::nullopt;
  }

  /// The id of the row that was inserted last.
  int64_t last_id() const;

  /// The first failure, if there was one. It is forgotten.
  /// @param doing "publish messages"
  expected<void> outcome(const char* doing);

  /// @returns `unavailable` if the path leads to another file by now, or to none
  /// For those who only read; a transaction looks itself.
  expected<void> check_file(const char* doing) const;

private:
  friend class rows;
  friend class transaction;

  explicit database(const address& where);

  expected<void> set_up();
  expected<void> use_wal();
  expected<void> make_tables();
  expected<void> make_kombu_tables();
  expected<std::optional<int64_t>> version();

  bool is_there() const;
  bool execute(const char* sql);
  void roll_back();
  sqlite3_stmt* prepare(const char* sql);
  void bind(sqlite3_stmt* statement, int column, int64_t x);
  void bind(sqlite3_stmt* statement, int column, std::string_view x);
  void bind(sqlite3_stmt* statement, int column, blob x);
  void bind(sqlite3_stmt* statement, int column, std::optional<int64_t> x);
  int64_t changes() const;
  void fail(int code);
  error failure(const char* doing) const;
  error refusal(const std::string& why) const;
  error refusal_of_failure(const char* doing) const;

  static int on_busy(void* self, int count);
  static int on_commit(void* self, sqlite3* file, const char* name, int pages);

  struct closer {
    void operator()(sqlite3* x) const noexcept;
    void operator()(sqlite3_stmt* x) const noexcept;
  };

  address where_;
  std::unique_ptr<sqlite3, closer> file_;
  std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, closer>>
    statements_; // by the address of their text, a constant
  int failed_ = 0; ///< SQLite's code, or 0
  std::string message_;
  std::chrono::steady_clock::time_point busy_until_;
  int copied_ = 0; ///< pages of the log, when this connection copied it last
  bool copying_ = false; ///< and waits for others
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// A write transaction: all of it, or nothing. Takes the write lock when it
/// begins, so that it cannot fail later for want of it.
class transaction {
public:
  explicit transaction(database& db);
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;

  /// Undoes everything unless it was committed.
  ~transaction();

  /// @returns the first failure since the beginning; nothing has happened then
  expected<void> commit(const char* doing);

private:
  database& db_;
  bool open_ = false;
};

/// Opens the file that a URL names.
/// @param prefix a key prefix, which has no meaning here: must be empty
expected<std::unique_ptr<database>> open_database(const std::string& url,
                                                  const std::string& prefix);

/// Microseconds since 1970, as they are stored.
int64_t to_number(timestamp x);

} // namespace umbel::sqlite
