#include "actors/consumer/state_db.hpp"

#include <fmt/format.h>

#include <sqlite3.h>

#include <algorithm>
#include <optional>

namespace umbel {

namespace {

/// "umbl" in ASCII: tells our files from those of others.
constexpr int application_id = 0x756d626c;

constexpr int busy_timeout_ms = 1'000;

// -- statements -------------------------------------------------------------------

/// One writer, which keeps the lock: a second worker with the same file is told
/// so at once. A commit returns when the disk has it.
constexpr const char* set_up = "PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA journal_mode = DELETE;"
                               "PRAGMA synchronous = FULL;"
                               "BEGIN EXCLUSIVE;"
                               "COMMIT";

constexpr const char* get_application_id = "PRAGMA application_id";

/// 0 for a new file.
constexpr const char* count_tables = "SELECT count(*) FROM sqlite_schema";

/// A file of the older or newer kind would have another user_version.
constexpr const char* make_tables
  = "BEGIN;"
    "PRAGMA application_id = 1970102892;"
    "PRAGMA user_version = 1;"
    "CREATE TABLE revoked (id TEXT PRIMARY KEY, at INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE INDEX revoked_at ON revoked (at);"
    "COMMIT";
static_assert(application_id == 1970102892);

/// "ok", or what is damaged.
constexpr const char* check = "PRAGMA quick_check(1)";

/// Times are microseconds since 1970.
constexpr const char* select_revoked = "SELECT id, at FROM revoked ORDER BY at";

constexpr const char* insert_revoked
  = "INSERT INTO revoked (id, at) VALUES (?1, ?2)"
    " ON CONFLICT (id) DO UPDATE SET at = excluded.at";

/// All but the youngest ?1.
constexpr const char* delete_oldest
  = "DELETE FROM revoked WHERE id IN"
    " (SELECT id FROM revoked ORDER BY at DESC LIMIT -1 OFFSET ?1)";

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

struct state_db::implementation {
  std::string path;
  size_t max = 0;
  std::unique_ptr<sqlite3, closer> db;

  error failure(errc code) const {
    auto reason = sqlite3_errcode(db.get()) == SQLITE_BUSY
                    ? "another process uses it"
                    : sqlite3_errmsg(db.get());
    return failure(code, reason);
  }

  error failure(errc code, std::string_view reason) const {
    return {code, fmt::format("cannot use the state file '{}' (--statedb): {}",
                              path, reason)};
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

  expected<void> open();

  bool insert(std::span<const entry> xs);
};

expected<void> state_db::implementation::open() {
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
  if (!id || !tables || !run(set_up))
    return failure(errc::invalid_setting);
  if (sqlite3_db_readonly(file, "main") == 1)
    return failure(errc::invalid_setting, "it is read-only");
  if (*id == "0" && *tables == "0") {
    if (!run(make_tables))
      return failure(errc::invalid_setting);
  } else if (*id != std::to_string(application_id)) {
    return failure(errc::invalid_setting,
                   "it is a database, but not one of a worker");
  }
  auto state = text(check);
  if (!state)
    return failure(errc::invalid_setting);
  if (*state != "ok") {
    std::ranges::replace(*state, '\n', ' ');
    return failure(errc::invalid_setting, "it is damaged: " + *state);
  }
  return {};
}

bool state_db::implementation::insert(std::span<const entry> xs) {
  auto add = prepare(insert_revoked);
  auto trim = prepare(delete_oldest);
  if (!add || !trim)
    return false;
  for (auto& [id, when] : xs) {
    sqlite3_bind_text(add.get(), 1, id.str().data(),
                      static_cast<int>(id.str().size()), SQLITE_STATIC);
    sqlite3_bind_int64(add.get(), 2, when.time_since_epoch().count());
    if (sqlite3_step(add.get()) != SQLITE_DONE)
      return false;
    sqlite3_reset(add.get());
  }
  sqlite3_bind_int64(trim.get(), 1, static_cast<int64_t>(max));
  return sqlite3_step(trim.get()) == SQLITE_DONE;
}

state_db::state_db(std::unique_ptr<implementation> x) : impl_(std::move(x)) {
}

state_db::~state_db() = default;

expected<std::unique_ptr<state_db>> state_db::open(const std::string& path,
                                                   size_t max) {
  auto impl = std::make_unique<implementation>();
  impl->path = path;
  impl->max = max;
  if (auto done = impl->open(); !done)
    return done.error();
  return std::unique_ptr<state_db>{new state_db{std::move(impl)}};
}

expected<std::vector<state_db::entry>> state_db::load() {
  std::vector<entry> result;
  auto query = impl_->prepare(select_revoked);
  auto state = query ? SQLITE_ROW : SQLITE_ERROR;
  while (query && (state = sqlite3_step(query.get())) == SQLITE_ROW) {
    auto id = reinterpret_cast<const char*>(sqlite3_column_text(query.get(), 0));
    std::chrono::microseconds at{sqlite3_column_int64(query.get(), 1)};
    result.emplace_back(task_id{id ? id : ""}, timestamp{at});
  }
  if (state != SQLITE_DONE)
    return impl_->failure(errc::invalid_setting);
  return result;
}

expected<void> state_db::save(std::span<const entry> xs) {
  if (impl_->run("BEGIN") && impl_->insert(xs) && impl_->run("COMMIT"))
    return {};
  auto result = impl_->failure(errc::unavailable);
  impl_->run("ROLLBACK");
  return result;
}

} // namespace umbel
