#include "actors/beat/beat_db.hpp"

#include <fmt/format.h>

#include <sqlite3.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace umbel {

namespace {

/// "umbt" in ASCII: tells our files from those of others.
constexpr int application_id = 0x756d6274;

constexpr int busy_timeout_ms = 1'000;

// -- statements -------------------------------------------------------------------

/// A second beat with the same file is told so at once: both would send all.
constexpr const char* set_up = "PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA journal_mode = DELETE;"
                               "PRAGMA synchronous = FULL;"
                               "BEGIN EXCLUSIVE;"
                               "COMMIT";

constexpr const char* get_application_id = "PRAGMA application_id";

/// 0 for a new file.
constexpr const char* count_tables = "SELECT count(*) FROM sqlite_schema";

constexpr const char* make_tables
  = "BEGIN;"
    "PRAGMA application_id = 1970102900;"
    "PRAGMA user_version = 1;"
    "CREATE TABLE entry (name TEXT PRIMARY KEY, last_run_at INTEGER NOT NULL,"
    " total_run_count INTEGER NOT NULL) WITHOUT ROWID;"
    "COMMIT";
static_assert(application_id == 1970102900);

/// "ok", or what is damaged.
constexpr const char* check = "PRAGMA quick_check(1)";

/// Times are microseconds since 1970.
constexpr const char* select_entries
  = "SELECT name, last_run_at, total_run_count FROM entry";

constexpr const char* replace_entry
  = "INSERT OR REPLACE INTO entry (name, last_run_at, total_run_count)"
    " VALUES (?1, ?2, ?3)";

constexpr const char* delete_entry = "DELETE FROM entry WHERE name = ?1";

struct closer {
  void operator()(sqlite3* x) const noexcept {
    sqlite3_close_v2(x);
  }

  void operator()(sqlite3_stmt* x) const noexcept {
    sqlite3_finalize(x);
  }
};

using statement = std::unique_ptr<sqlite3_stmt, closer>;

} // namespace

struct beat_db::implementation {
  std::string path;
  std::unique_ptr<sqlite3, closer> db;

  error failure(errc code, std::string_view reason = {}) const {
    if (reason.empty())
      reason = sqlite3_errcode(db.get()) == SQLITE_BUSY
                 ? "another process uses it"
                 : sqlite3_errmsg(db.get());
    return {code, fmt::format("cannot use the schedule file '{}' (-s): {}", path,
                              reason)};
  }

  bool run(const char* sql) {
    return sqlite3_exec(db.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
  }

  /// Null if it does not fit the file.
  statement prepare(const char* sql) {
    sqlite3_stmt* result = nullptr;
    sqlite3_prepare_v2(db.get(), sql, -1, &result, nullptr);
    return statement{result};
  }

  /// The first column of the only row.
  std::optional<std::string> text(const char* sql) {
    auto query = prepare(sql);
    if (!query || sqlite3_step(query.get()) != SQLITE_ROW)
      return std::nullopt;
    auto value = sqlite3_column_text(query.get(), 0);
    return value ? reinterpret_cast<const char*>(value) : "";
  }

  static void bind_name(sqlite3_stmt* x, const std::string& name) {
    sqlite3_bind_text(x, 1, name.data(), static_cast<int>(name.size()),
                      SQLITE_STATIC);
  }

  static bool finish(sqlite3_stmt* x) {
    auto done = sqlite3_step(x) == SQLITE_DONE;
    sqlite3_reset(x);
    return done;
  }

  expected<void> open();

  bool replace(const records& xs) {
    auto put = prepare(replace_entry);
    return put && std::ranges::all_of(xs, [&](auto& x) {
      bind_name(put.get(), x.first);
      sqlite3_bind_int64(put.get(), 2,
                         x.second.last_run_at.time_since_epoch().count());
      sqlite3_bind_int64(put.get(), 3, x.second.total_run_count);
      return finish(put.get());
    });
  }

  bool remove(const std::vector<std::string>& names) {
    auto drop = prepare(delete_entry);
    return drop && std::ranges::all_of(names, [&](auto& name) {
      bind_name(drop.get(), name);
      return finish(drop.get());
    });
  }

  /// All that `f` does, or nothing.
  template <class F>
  expected<void> transaction(F f) {
    if (run("BEGIN") && f() && run("COMMIT"))
      return {};
    auto result = failure(errc::unavailable);
    run("ROLLBACK");
    return result;
  }
};

expected<void> beat_db::implementation::open() {
  sqlite3* file = nullptr;
  auto opened = sqlite3_open_v2(path.c_str(), &file,
                                SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                nullptr);
  db.reset(file);
  if (opened != SQLITE_OK)
    return failure(errc::invalid_setting);
  sqlite3_busy_timeout(file, busy_timeout_ms);
  auto id = text(get_application_id);
  auto tables = text(count_tables);
  if (!id || !tables) {
    if (sqlite3_errcode(file) == SQLITE_NOTADB)
      return failure(errc::invalid_setting,
                     "it is no SQLite database; a file of Celery's beat cannot "
                     "be read, name another one");
    return failure(errc::invalid_setting);
  }
  if (sqlite3_db_readonly(file, "main") == 1)
    return failure(errc::invalid_setting, "it is read-only");
  auto is_new = *id == "0" && *tables == "0";
  if (!is_new && *id != std::to_string(application_id))
    return failure(errc::invalid_setting,
                   "it is a database, but not one of a beat");
  if (!run(set_up) || (is_new && !run(make_tables)))
    return failure(errc::invalid_setting);
  auto state = text(check);
  if (!state)
    return failure(errc::invalid_setting);
  if (*state != "ok") {
    std::ranges::replace(*state, '\n', ' ');
    return failure(errc::invalid_setting, "it is damaged: " + *state);
  }
  return {};
}

beat_db::beat_db(std::unique_ptr<implementation> x) : impl_(std::move(x)) {
}

beat_db::~beat_db() = default;

expected<std::unique_ptr<beat_db>> beat_db::open(const std::string& path) {
  auto impl = std::make_unique<implementation>();
  impl->path = path;
  if (auto done = impl->open(); !done)
    return done.error();
  return std::unique_ptr<beat_db>{new beat_db{std::move(impl)}};
}

expected<beat_db::records> beat_db::load() {
  records result;
  auto query = impl_->prepare(select_entries);
  auto state = query ? SQLITE_ROW : SQLITE_ERROR;
  while (query && (state = sqlite3_step(query.get())) == SQLITE_ROW) {
    auto name
      = reinterpret_cast<const char*>(sqlite3_column_text(query.get(), 0));
    std::chrono::microseconds at{sqlite3_column_int64(query.get(), 1)};
    result[name ? name : ""]
      = {timestamp{at}, sqlite3_column_int64(query.get(), 2)};
  }
  if (state != SQLITE_DONE)
    return impl_->failure(errc::invalid_setting);
  return result;
}

expected<void> beat_db::save(const records& xs) {
  return impl_->transaction([&] { return impl_->replace(xs); });
}

expected<void> beat_db::keep(const records& xs) {
  auto there = load();
  if (!there)
    return there.error();
  std::vector<std::string> gone;
  for (auto& [name, record] : *there)
    if (!xs.contains(name))
      gone.push_back(name);
  if (gone.empty())
    return {};
  return impl_->transaction([&] { return impl_->remove(gone); });
}

} // namespace umbel
