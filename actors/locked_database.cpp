#include "actors/locked_database.hpp"

#include <fmt/format.h>

#include <sqlite3.h>

#include <algorithm>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace umbel {

namespace {

constexpr int busy_timeout_ms = 1'000;

constexpr const char* take_lock = "PRAGMA locking_mode = EXCLUSIVE;"
                                  "PRAGMA journal_mode = DELETE;"
                                  "PRAGMA synchronous = FULL;"
                                  "BEGIN EXCLUSIVE;"
                                  "COMMIT";

constexpr const char* share = "PRAGMA journal_mode = DELETE;"
                              "PRAGMA synchronous = FULL";

constexpr const char* get_application_id = "PRAGMA application_id";

/// 0 for a new file.
constexpr const char* count_tables = "SELECT count(*) FROM sqlite_schema";

/// "ok", or what is damaged.
constexpr const char* check = "PRAGMA quick_check(1)";

} // namespace

void locked_database::closer::operator()(sqlite3* x) const noexcept {
  sqlite3_close_v2(x);
}

void locked_database::finalizer::operator()(sqlite3_stmt* x) const noexcept {
  sqlite3_finalize(x);
}

expected<locked_database> locked_database::open(std::string path,
                                                const database_kind& kind,
                                                database_role role) {
  locked_database result{std::move(path), kind};
  sqlite3* file = nullptr;
  auto opened = sqlite3_open_v2(result.path_.c_str(), &file,
                                SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                nullptr);
  result.db_.reset(file);
  if (opened != SQLITE_OK)
    return result.failure(errc::invalid_setting);
  if (auto done = result.set_up(role); !done)
    return done.error();
  return result;
}

bool locked_database::has_owner(const std::string& path) {
  auto fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  auto result = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
  if (fd >= 0)
    close(fd);
  return result;
}

locked_database::ownership::~ownership() {
  if (fd_ >= 0)
    close(fd_);
}

bool locked_database::ownership::take(const char* path) {
  fd_ = ::open(path, O_RDONLY | O_CLOEXEC);
  // A guest that looks whether there is an owner has it for an instant.
  for (int i = 0; fd_ >= 0 && i < 10; ++i) {
    if (flock(fd_, LOCK_EX | LOCK_NB) == 0)
      return true;
    usleep(5'000);
  }
  return false;
}

// Nothing is changed before it is known that the file is ours.
expected<void> locked_database::set_up(database_role role) {
  sqlite3_busy_timeout(db_.get(), busy_timeout_ms);
  auto id = text(get_application_id);
  auto tables = text(count_tables);
  if (!id || !tables) {
    if (sqlite3_errcode(db_.get()) == SQLITE_NOTADB && kind_.no_database)
      return failure(errc::invalid_setting, kind_.no_database);
    return failure(errc::invalid_setting);
  }
  if (sqlite3_db_readonly(db_.get(), "main") == 1)
    return failure(errc::invalid_setting, "it is read-only");
  auto is_new = *id == "0" && *tables == "0";
  if (!is_new && *id != std::to_string(kind_.application_id))
    return failure(errc::invalid_setting,
                   fmt::format("it is a database, but not one of {}",
                               kind_.owner));
  if (kind_.shared && role == database_role::owner
      && !ownership_.take(path_.c_str()))
    return failure(errc::invalid_setting, "another process uses it");
  if (!run(kind_.shared ? share : take_lock)
      || (is_new && !run(kind_.make_tables)))
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

bool locked_database::run(const char* sql) {
  return sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
}

locked_database::statement locked_database::prepare(const char* sql) {
  sqlite3_stmt* result = nullptr;
  sqlite3_prepare_v2(db_.get(), sql, -1, &result, nullptr);
  return statement{result};
}

/// The first column of the only row.
std::optional<std::string> locked_database::text(const char* sql) {
  auto query = prepare(sql);
  if (!query || sqlite3_step(query.get()) != SQLITE_ROW)
    return std::nullopt;
  auto value = sqlite3_column_text(query.get(), 0);
  return value ? reinterpret_cast<const char*>(value) : "";
}

error locked_database::failure(errc code, std::string_view reason) const {
  if (reason.empty())
    reason = sqlite3_errcode(db_.get()) == SQLITE_BUSY
               ? "another process uses it"
               : sqlite3_errmsg(db_.get());
  return {code, fmt::format("cannot use the {} '{}' ({}): {}", kind_.name, path_,
                            kind_.option, reason)};
}

} // namespace umbel
