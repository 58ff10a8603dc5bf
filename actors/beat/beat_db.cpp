#include "actors/beat/beat_db.hpp"

#include "actors/locked_database.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <vector>

namespace umbel {

namespace {

/// "umbt" in ASCII: tells our files from those of others.
constexpr int application_id = 0x756d6274;

// -- statements -------------------------------------------------------------------

constexpr const char* make_tables
  = "BEGIN;"
    "PRAGMA application_id = 1970102900;"
    "PRAGMA user_version = 1;"
    "CREATE TABLE entry (name TEXT PRIMARY KEY, last_run_at INTEGER NOT NULL,"
    " total_run_count INTEGER NOT NULL) WITHOUT ROWID;"
    "COMMIT";
static_assert(application_id == 1970102900);

constexpr database_kind schedule_file{
  application_id, make_tables, "schedule file", "-s", "a beat",
  "it is no SQLite database; a file of Celery's beat cannot be read, name another "
  "one"};

/// Times are microseconds since 1970.
constexpr const char* select_entries
  = "SELECT name, last_run_at, total_run_count FROM entry";

constexpr const char* replace_entry
  = "INSERT OR REPLACE INTO entry (name, last_run_at, total_run_count)"
    " VALUES (?1, ?2, ?3)";

constexpr const char* delete_entry = "DELETE FROM entry WHERE name = ?1";

} // namespace

struct beat_db::implementation {
  locked_database file;

  static void bind_name(sqlite3_stmt* x, const std::string& name) {
    sqlite3_bind_text(x, 1, name.data(), static_cast<int>(name.size()),
                      SQLITE_STATIC);
  }

  static bool finish(sqlite3_stmt* x) {
    auto done = sqlite3_step(x) == SQLITE_DONE;
    sqlite3_reset(x);
    return done;
  }

  bool replace(const records& xs) {
    auto put = file.prepare(replace_entry);
    return put && std::ranges::all_of(xs, [&](auto& x) {
      bind_name(put.get(), x.first);
      sqlite3_bind_int64(put.get(), 2,
                         x.second.last_run_at.time_since_epoch().count());
      sqlite3_bind_int64(put.get(), 3, x.second.total_run_count);
      return finish(put.get());
    });
  }

  bool remove(const std::vector<std::string>& names) {
    auto drop = file.prepare(delete_entry);
    return drop && std::ranges::all_of(names, [&](auto& name) {
      bind_name(drop.get(), name);
      return finish(drop.get());
    });
  }
};

beat_db::beat_db(std::unique_ptr<implementation> x) : impl_(std::move(x)) {
}

beat_db::~beat_db() = default;

expected<std::unique_ptr<beat_db>> beat_db::open(const std::string& path) {
  auto file = locked_database::open(path, schedule_file);
  if (!file)
    return file.error();
  auto impl = std::make_unique<implementation>(
    implementation{std::move(*file)});
  return std::unique_ptr<beat_db>{new beat_db{std::move(impl)}};
}

expected<beat_db::records> beat_db::load() {
  records result;
  auto query = impl_->file.prepare(select_entries);
  auto state = query ? SQLITE_ROW : SQLITE_ERROR;
  while (query && (state = sqlite3_step(query.get())) == SQLITE_ROW) {
    auto name
      = reinterpret_cast<const char*>(sqlite3_column_text(query.get(), 0));
    std::chrono::microseconds at{sqlite3_column_int64(query.get(), 1)};
    result[name ? name : ""]
      = {timestamp{at}, sqlite3_column_int64(query.get(), 2)};
  }
  if (state != SQLITE_DONE)
    return impl_->file.failure(errc::invalid_setting);
  return result;
}

expected<void> beat_db::save(const records& xs) {
  return impl_->file.transaction([&] { return impl_->replace(xs); });
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
  return impl_->file.transaction([&] { return impl_->remove(gone); });
}

} // namespace umbel
