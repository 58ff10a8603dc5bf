#include "actors/beat/beat_db.hpp"

#include "protocol/message/envelope.hpp"

#include <sqlite3.h>

#include <string_view>

#include <unistd.h>

namespace umbel {

using schedule::stored_entry;

namespace {

/// "umbt" in ASCII: tells our files from those of others.
constexpr int application_id = 0x756d6274;

// -- statements -------------------------------------------------------------------
// Times are microseconds since 1970.

constexpr const char* make_tables
  = "BEGIN;"
    "PRAGMA application_id = 1970102900;"
    "PRAGMA user_version = 1;"
    "CREATE TABLE entry (name TEXT PRIMARY KEY, definition TEXT NOT NULL,"
    " live INTEGER NOT NULL, enabled INTEGER NOT NULL,"
    " changed_at INTEGER NOT NULL, last_run_at INTEGER NOT NULL DEFAULT 0,"
    " total_run_count INTEGER NOT NULL DEFAULT 0,"
    " requests INTEGER NOT NULL DEFAULT 0,"
    " requests_served INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    // Names of entries that commands have changed and the beat has not read yet.
    "CREATE TABLE changed (name TEXT PRIMARY KEY) WITHOUT ROWID;"
    // `identity` and `zone`.
    "CREATE TABLE schedule (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
    " WITHOUT ROWID;"
    "COMMIT";
static_assert(application_id == 1970102900);

constexpr database_kind schedule_file{
  application_id, make_tables, "schedule file", "-s", "a beat",
  "it is no SQLite database; a file of Celery's beat cannot be read, name another "
  "one",
  true};

constexpr const char* select_entries
  = "SELECT name, definition, live, enabled, changed_at, last_run_at,"
    " total_run_count, requests, requests_served FROM entry ORDER BY name";

constexpr const char* select_entry
  = "SELECT name, definition, live, enabled, changed_at, last_run_at,"
    " total_run_count, requests, requests_served FROM entry WHERE name = ?1";

constexpr const char* configure_entry
  = "INSERT INTO entry (name, definition, live, enabled, changed_at)"
    " VALUES (?1, ?2, 0, 1, 0)"
    " ON CONFLICT (name) DO UPDATE SET definition = ?2 WHERE live = 0";

constexpr const char* update_runs
  = "UPDATE entry SET last_run_at = ?2, total_run_count = ?3,"
    " requests_served = ?4 WHERE name = ?1";

constexpr const char* put_entry
  = "INSERT INTO entry (name, definition, live, enabled, changed_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5)"
    " ON CONFLICT (name) DO UPDATE SET definition = ?2, live = ?3, enabled = ?4,"
    " changed_at = ?5";

constexpr const char* count_entry = "SELECT count(*) FROM entry WHERE name = ?1";

constexpr const char* delete_entry = "DELETE FROM entry WHERE name = ?1";

constexpr const char* add_request
  = "UPDATE entry SET requests = requests + 1 WHERE name = ?1";

constexpr const char* mark_changed
  = "INSERT OR IGNORE INTO changed (name) VALUES (?1)";

constexpr const char* select_changed = "SELECT name FROM changed";

constexpr const char* forget_changed = "DELETE FROM changed";

constexpr const char* select_about = "SELECT value FROM schedule WHERE name = ?1";

constexpr const char* replace_about
  = "INSERT OR REPLACE INTO schedule (name, value) VALUES (?1, ?2)";

/// Another number after every commit of another process.
constexpr const char* data_version = "PRAGMA data_version";

// -- binding and reading --------------------------------------------------------------

void bind(sqlite3_stmt* to, int column, std::string_view x) {
  sqlite3_bind_text(to, column, x.data(), static_cast<int>(x.size()),
                    SQLITE_STATIC);
}

void bind(sqlite3_stmt* to, int column, int64_t x) {
  sqlite3_bind_int64(to, column, x);
}

void bind(sqlite3_stmt* to, int column, timestamp x) {
  bind(to, column, x.time_since_epoch().count());
}

std::string text(sqlite3_stmt* from, int column) {
  auto x = reinterpret_cast<const char*>(sqlite3_column_text(from, column));
  return x ? x : "";
}

timestamp time(sqlite3_stmt* from, int column) {
  return timestamp{
    std::chrono::microseconds{sqlite3_column_int64(from, column)}};
}

/// Runs to its end a statement that returns nothing, and makes it ready again.
template <class... Ts>
bool run(const locked_database::statement& x, const Ts&... xs) {
  if (!x)
    return false;
  int column = 0;
  (bind(x.get(), ++column, xs), ...);
  auto done = sqlite3_step(x.get()) == SQLITE_DONE;
  sqlite3_reset(x.get());
  return done;
}

/// Calls `f` for each row. @returns whether all of them could be read
template <class F>
bool each_row(const locked_database::statement& x, F f) {
  if (!x)
    return false;
  auto state = sqlite3_step(x.get());
  for (; state == SQLITE_ROW; state = sqlite3_step(x.get()))
    f(x.get());
  sqlite3_reset(x.get());
  return state == SQLITE_DONE;
}

stored_entry entry_of(sqlite3_stmt* row) {
  stored_entry result;
  result.name = text(row, 0);
  result.definition = text(row, 1);
  result.live = sqlite3_column_int(row, 2) != 0;
  result.enabled = sqlite3_column_int(row, 3) != 0;
  result.changed_at = time(row, 4);
  result.runs.last_run_at = time(row, 5);
  result.runs.total_run_count = sqlite3_column_int64(row, 6);
  result.requests = sqlite3_column_int64(row, 7);
  result.runs.requests_served = sqlite3_column_int64(row, 8);
  return result;
}

} // namespace

expected<std::unique_ptr<beat_db>> beat_db::open(const std::string& path,
                                                 database_role role) {
  if (role == database_role::guest && access(path.c_str(), F_OK) != 0)
    return error{errc::not_found, "there is no schedule file '" + path
                                    + "' (-s): umbel beat makes it"};
  auto file = locked_database::open(path, schedule_file, role);
  if (!file)
    return file.error();
  return std::unique_ptr<beat_db>{new beat_db{path, std::move(*file)}};
}

beat_db::beat_db(std::string path, locked_database file)
    : path_(std::move(path)), file_(std::move(file)) {
}

std::string beat_db::location() const {
  return path_;
}

expected<void> beat_db::connect() {
  return {};
}

// -- for beats --------------------------------------------------------------------------

expected<schedule::leadership> beat_db::lead() {
  schedule::leadership result;
  result.leads = true;
  result.anew = !std::exchange(leads_, true);
  int64_t version = -1;
  auto read = each_row(file_.prepare(data_version), [&](auto* row) {
    version = sqlite3_column_int64(row, 0);
  });
  if (read && version == seen_)
    return result;
  auto done = file_.transaction([&] {
    return each_row(file_.prepare(select_changed),
                    [&](auto* row) {
                      result.changed.push_back(text(row, 0));
                    })
           && (result.changed.empty() || file_.run(forget_changed));
  });
  // Not a reason to stop: a full disk, or a command that takes long.
  if (done)
    seen_ = version;
  else
    result.changed.clear();
  return result;
}

std::chrono::milliseconds beat_db::look_interval() const {
  return std::chrono::seconds{1};
}

/// Reads what concerns the schedule as a whole.
bool beat_db::about(std::string_view name, std::string& to) {
  auto query = file_.prepare(select_about);
  if (query)
    bind(query.get(), 1, name);
  return each_row(query, [&](auto* row) { to = text(row, 0); });
}

expected<schedule::stored_schedule> beat_db::load() {
  schedule::stored_schedule result;
  auto read = about("identity", result.identity) && about("zone", result.zone)
              && each_row(file_.prepare(select_entries), [&](auto* row) {
                   result.entries.push_back(entry_of(row));
                 });
  if (!read)
    return file_.failure(errc::invalid_setting);
  if (!result.identity.empty())
    return result;
  result.identity = make_uuid();
  auto done = file_.transaction([&] {
    return run(file_.prepare(replace_about), std::string_view{"identity"},
               std::string_view{result.identity});
  });
  if (!done)
    return done.error();
  return result;
}

expected<std::vector<stored_entry>>
beat_db::load(std::span<const std::string> names) {
  std::vector<stored_entry> result;
  auto query = file_.prepare(select_entry);
  for (auto& name : names) {
    if (query)
      bind(query.get(), 1, std::string_view{name});
    if (!each_row(query,
                  [&](auto* row) { result.push_back(entry_of(row)); }))
      return file_.failure(errc::unavailable);
  }
  return result;
}

expected<bool> beat_db::configure(const schedule::configuration_change& x) {
  auto done = file_.transaction([&] {
    auto put = file_.prepare(configure_entry);
    for (auto& [name, definition] : x.definitions)
      if (!run(put, std::string_view{name}, std::string_view{definition}))
        return false;
    auto drop = file_.prepare(delete_entry);
    for (auto& name : x.gone)
      if (!run(drop, std::string_view{name}))
        return false;
    return run(file_.prepare(replace_about), std::string_view{"zone"},
               std::string_view{x.zone});
  });
  if (!done)
    return done.error();
  return true;
}

expected<bool> beat_db::commit(std::span<const outgoing_message>,
                               const records& runs) {
  auto done = file_.transaction([&] {
    auto update = file_.prepare(update_runs);
    for (auto& [name, x] : runs)
      if (!run(update, std::string_view{name}, x.last_run_at,
               x.total_run_count, x.requests_served))
        return false;
    return true;
  });
  if (!done)
    return done.error();
  return true;
}

// -- for operators' commands ------------------------------------------------

expected<bool> beat_db::put(const stored_entry& x, put_mode mode) {
  bool allowed = true;
  auto done = file_.transaction([&] {
    auto count = file_.prepare(count_entry);
    if (count)
      bind(count.get(), 1, std::string_view{x.name});
    auto there = false;
    if (!each_row(count, [&](auto* row) {
          there = sqlite3_column_int(row, 0) != 0;
        }))
      return false;
    allowed = mode == put_mode::any || there == (mode == put_mode::replace);
    return !allowed
           || (run(file_.prepare(put_entry), std::string_view{x.name},
                   std::string_view{x.definition}, int64_t{x.live},
                   int64_t{x.enabled}, x.changed_at)
               && run(file_.prepare(mark_changed), std::string_view{x.name}));
  });
  if (!done)
    return done.error();
  return allowed;
}

namespace {

/// What changes an entry that is there.
expected<bool> alter(locked_database& file, const char* sql,
                             const std::string& name) {
  bool there = false;
  auto done = file.transaction([&] {
    auto count = file.prepare(count_entry);
    if (count)
      bind(count.get(), 1, std::string_view{name});
    return each_row(count,
                    [&](auto* row) {
                      there = sqlite3_column_int(row, 0) != 0;
                    })
           && run(file.prepare(sql), std::string_view{name})
           && run(file.prepare(mark_changed), std::string_view{name});
  });
  if (!done)
    return done.error();
  return there;
}

} // namespace

expected<bool> beat_db::remove(const std::string& name) {
  return alter(file_, delete_entry, name);
}

expected<bool> beat_db::request_run(const std::string& name) {
  return alter(file_, add_request, name);
}

expected<std::string> beat_db::zone() {
  std::string result;
  if (!about("zone", result))
    return file_.failure(errc::unavailable);
  return result;
}

expected<std::string> beat_db::leader() {
  return std::string{locked_database::has_owner(path_) ? "a beat" : ""};
}

} // namespace umbel
