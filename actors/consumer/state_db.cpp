#include "actors/consumer/state_db.hpp"

#include "actors/locked_database.hpp"

#include <sqlite3.h>

namespace umbel {

namespace {

/// "umbl" in ASCII: tells our files from those of others.
constexpr int application_id = 0x756d626c;

// -- statements -------------------------------------------------------------------

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

constexpr database_kind state_file{application_id, make_tables, "state file",
                                   "--statedb", "a worker", nullptr};

/// Times are microseconds since 1970.
constexpr const char* select_revoked = "SELECT id, at FROM revoked ORDER BY at";

constexpr const char* insert_revoked
  = "INSERT INTO revoked (id, at) VALUES (?1, ?2)"
    " ON CONFLICT (id) DO UPDATE SET at = excluded.at";

/// All but the youngest ?1.
constexpr const char* delete_oldest
  = "DELETE FROM revoked WHERE id IN"
    " (SELECT id FROM revoked ORDER BY at DESC LIMIT -1 OFFSET ?1)";

} // namespace

struct state_db::implementation {
  locked_database file;
  size_t max = 0;

  bool insert(std::span<const entry> xs);
};

bool state_db::implementation::insert(std::span<const entry> xs) {
  auto add = file.prepare(insert_revoked);
  auto trim = file.prepare(delete_oldest);
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
  auto file = locked_database::open(path, state_file);
  if (!file)
    return file.error();
  auto impl = std::make_unique<implementation>(
    implementation{std::move(*file), max});
  return std::unique_ptr<state_db>{new state_db{std::move(impl)}};
}

expected<std::vector<state_db::entry>> state_db::load() {
  std::vector<entry> result;
  auto query = impl_->file.prepare(select_revoked);
  auto state = query ? SQLITE_ROW : SQLITE_ERROR;
  while (query && (state = sqlite3_step(query.get())) == SQLITE_ROW) {
    auto id = reinterpret_cast<const char*>(sqlite3_column_text(query.get(), 0));
    std::chrono::microseconds at{sqlite3_column_int64(query.get(), 1)};
    result.emplace_back(task_id{id ? id : ""}, timestamp{at});
  }
  if (state != SQLITE_DONE)
    return impl_->file.failure(errc::invalid_setting);
  return result;
}

expected<void> state_db::save(std::span<const entry> xs) {
  return impl_->file.transaction([&] { return impl_->insert(xs); });
}

} // namespace umbel
