#include "protocol/broker/sqlite/database.hpp"

#include "protocol/broker/sqlite/kombu_schema.hpp"
#include "protocol/broker/sqlite/kombu_statements.hpp"
#include "protocol/broker/sqlite/schema.hpp"
#include "protocol/broker/sqlite/statements.hpp"

#include <fmt/format.h>

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>

#include <sys/stat.h>
#include <sys/vfs.h>

namespace umbel::sqlite {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr int64_t schema_version = 3;

constexpr auto moved = "the file was deleted or replaced";

/// "umbq" in ASCII: tells our files from those of others.
constexpr int64_t application_id = 0x756d6271;

/// So long may the write-ahead log grow, in pages, before it is copied into the file:
/// 4 MiB. More: fewer syncs. Less: shorter ones, during which a worker has other things
/// to do, and less to lose to a power failure.
constexpr int log_pages = 1'024;

/// So long it becomes only if others read or write all the time.
constexpr int log_pages_max = 4 * log_pages;

/// And so long, 256 MiB, only if somebody reads for long, so that what was written since
/// cannot be copied; or by one great change.
constexpr int log_pages_much = 16 * log_pages_max;

/// How long who copies the log waits for others who read and write, at most.
constexpr auto copying_patience = 10ms;

/// Of each connection. More makes big result tables quicker and workers bigger.
constexpr auto settings
  = "PRAGMA cache_size = -2000;"
    // Debian's SQLite overwrites what is deleted: twice the writing.
    "PRAGMA secure_delete = OFF;"
    "PRAGMA journal_size_limit = 67108864;";

/// Filesystems whose other users are on other machines: SQLite's shared memory
/// does not reach them, and the file would be damaged.
bool is_remote(const std::string& folder) {
  struct statfs x {};
  if (statfs(folder.c_str(), &x) != 0)
    return false;
  constexpr uint32_t kinds[] = {
    0x6969,     // NFS
    0x517b,     // SMB
    0xff534d42, // CIFS
    0xfe534d42, // SMB2
    0x00c36400, // Ceph
    0x5346414f, // AFS
    0x73757245, // Coda
    0x0bd00bd0, // Lustre
    0x01161970, // GFS2
    0x7461636f, // OCFS2
  };
  return std::ranges::find(kinds, static_cast<uint32_t>(x.f_type))
         != std::end(kinds);
}

/// Why a file cannot be opened, better than "unable to open database file".
std::string why_not(const std::string& path) {
  auto folder = std::filesystem::path{path}.parent_path().string();
  struct stat x {};
  if (stat(folder.c_str(), &x) != 0)
    return errno == ENOENT ? "there is no folder '" + folder + '\''
                           : std::strerror(errno);
  if (stat(path.c_str(), &x) == 0 && S_ISDIR(x.st_mode))
    return "it is a folder";
  return "it cannot be opened or made; may this user write to '" + folder
         + "'?";
}

} // namespace

int64_t to_number(timestamp x) {
  return x.time_since_epoch().count();
}

expected<std::unique_ptr<database>> open_database(const std::string& url,
                                                  const std::string& prefix) {
  auto parsed = parse_url(url);
  if (!parsed)
    return parsed.error();
  auto where = to_address(*parsed);
  if (!where)
    return where.error();
  if (!prefix.empty())
    return error{errc::invalid_setting,
                 "global_keyprefix has no meaning with " + where->str()
                   + ": use another file instead"};
  return database::open(*where);
}

// -- rows ---------------------------------------------------------------------

rows::~rows() {
  if (statement_)
    sqlite3_reset(statement_);
}

bool rows::next() {
  if (!statement_ || db_.failed_ != 0)
    return false;
  auto code = sqlite3_step(statement_);
  if (code == SQLITE_ROW)
    return true;
  if (code != SQLITE_DONE)
    db_.fail(code);
  return false;
}

int64_t rows::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view rows::text(int column) const {
  auto bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

// -- opening ------------------------------------------------------------------

void database::closer::operator()(sqlite3* x) const noexcept {
  sqlite3_close_v2(x);
}

void database::closer::operator()(sqlite3_stmt* x) const noexcept {
  sqlite3_finalize(x);
}

database::database(const address& where) : where_(where) {
}

database::~database() = default;

expected<std::unique_ptr<database>> database::open(const address& where) {
  std::unique_ptr<database> result{new database{where}};
  auto folder = std::filesystem::path{where.path}.parent_path().string();
  if (is_remote(folder))
    return result->refusal("it is on a network filesystem, where SQLite does not "
                           "work; it must be on a disk of this machine");
  sqlite3* file = nullptr;
  auto code = sqlite3_open_v2(where.path.c_str(), &file,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                | SQLITE_OPEN_NOMUTEX,
                              nullptr);
  result->file_.reset(file);
  if (code != SQLITE_OK)
    return result->refusal(why_not(where.path));
  if (auto done = result->set_up(); !done)
    return done.error();
  return result;
}

expected<void> database::set_up() {
  constexpr auto doing = "open the database";
  auto file = file_.get();
  sqlite3_busy_handler(file, on_busy, this);
  sqlite3_wal_hook(file, on_commit, this);
  if (sqlite3_db_readonly(file, "main") == 1)
    return refusal("it is read-only");
  if (!execute(settings)
      || !execute(where_.full_sync ? "PRAGMA synchronous = FULL"
                                   : "PRAGMA synchronous = NORMAL"))
    return refusal_of_failure(doing);
  if (where_.kombu)
    if (auto made = make_kombu_tables(); !made)
      return made;
  execute("BEGIN"); // one look at a file that somebody else may be making
  auto found = version();
  if (!found)
    return found.error();
  if (!execute("COMMIT"))
    return failure(doing);
  if (!*found || **found < schema_version)
    if (auto made = make_tables(); !made)
      return made;
  if (auto done = use_wal(); !done)
    return done;
  struct stat x {};
  if (stat(where_.path.c_str(), &x) != 0)
    return failure(doing);
  device_ = x.st_dev;
  inode_ = x.st_ino;
  return {};
}

// The version of its tables; nothing for an empty file, or one that only kombu has
// used.
expected<std::optional<int64_t>> database::version() {
  auto id = number("PRAGMA application_id");
  auto version = number("PRAGMA user_version");
  auto tables = number("SELECT count(*) FROM sqlite_schema");
  auto kombu = number(sql::kombu::has_tables).has_value();
  if (failed_ != 0)
    return refusal_of_failure("open the database");
  if (*id == 0 && (*tables == 0 || (where_.kombu && *version == 0)))
    return std::optional<int64_t>{};
  if (*id == application_id && kombu != where_.kombu)
    return refusal(kombu ? "its queues are kombu's; write sqla+sqlite:///"
                             + where_.path
                         : "it is a file of Umbel's own broker; write sqlite://"
                             + where_.path);
  if (*id != application_id)
    return refusal("it is a database, but not one of this broker");
  if (*version > schema_version)
    return refusal(fmt::format("its tables are of version {}, and this program "
                               "knows them up to version {}: use a newer one",
                               *version, schema_version));
  return std::optional{*version};
}

// Whoever comes first makes them, or brings them to this version; others wait and
// find them.
expected<void> database::make_tables() {
  constexpr auto doing = "make the tables";
  if (!execute("BEGIN EXCLUSIVE"))
    return failure(doing);
  auto found = version();
  auto current = found && *found && **found == schema_version;
  auto done = found
              && (current
                  || ((*found ? execute(sql::upgrade_to_2)
                                  && execute(sql::upgrade_to_3)
                              : execute(schema))
                      && execute(fmt::format("PRAGMA application_id = {};"
                                             "PRAGMA user_version = {}",
                                             application_id, schema_version)
                                   .c_str())))
              && execute("COMMIT");
  if (done)
    return {};
  auto what = found ? refusal_of_failure(doing) : found.error();
  roll_back();
  return what;
}

// Whoever comes first makes them, in Python or here; the column of ours is made here.
// Both come before our own tables: a file that has those alone is not for kombu.
expected<void> database::make_kombu_tables() {
  constexpr auto doing = "make kombu's tables";
  auto complete = [this] { return number(sql::kombu::has_step).has_value(); };
  auto done = complete();
  if (!done && failed_ == 0 && execute("BEGIN EXCLUSIVE")) {
    if (auto usable = version(); !usable)
      return usable.error();
    done = execute(kombu_schema)
           && (complete() || execute(sql::kombu::add_step))
           && execute(sql::kombu::add_index) && execute("COMMIT");
  }
  return done ? expected<void>{} : refusal_of_failure(doing);
}

// Changing the mode takes the file for itself, and does not wait for others: it
// is done once in the life of a file.
expected<void> database::use_wal() {
  for (auto until = clock::now() + where_.timeout;;) {
    {
      auto mode = select("PRAGMA journal_mode = WAL");
      if (mode.next() && mode.text(0) == "wal")
        return {};
    }
    if ((failed_ & 0xff) != SQLITE_BUSY || clock::now() > until)
      break;
    failed_ = 0;
    std::this_thread::sleep_for(2ms);
  }
  if (failed_ != 0)
    return refusal_of_failure("switch on the write-ahead log");
  return refusal("SQLite's write-ahead log does not work on this filesystem");
}

// -- running ------------------------------------------------------------------

bool database::execute(const char* sql) {
  if (failed_ != 0)
    return false;
  if (auto code = sqlite3_exec(file_.get(), sql, nullptr, nullptr, nullptr);
      code != SQLITE_OK)
    fail(code);
  return failed_ == 0;
}

sqlite3_stmt* database::prepare(const char* sql) {
  if (failed_ != 0)
    return nullptr;
  auto& statement = statements_[sql];
  if (!statement) {
    sqlite3_stmt* made = nullptr;
    if (auto code = sqlite3_prepare_v3(file_.get(), sql, -1,
                                       SQLITE_PREPARE_PERSISTENT, &made,
                                       nullptr);
        code != SQLITE_OK)
      fail(code);
    statement.reset(made);
  }
  return statement.get();
}

void database::bind(sqlite3_stmt* statement, int column, int64_t x) {
  if (statement)
    sqlite3_bind_int64(statement, column, x);
}

void database::bind(sqlite3_stmt* statement, int column, std::string_view x) {
  // A null pointer would be bound as NULL.
  if (statement)
    sqlite3_bind_text64(statement, column, x.data() ? x.data() : "", x.size(),
                        SQLITE_STATIC, SQLITE_UTF8);
}

void database::bind(sqlite3_stmt* statement, int column, blob x) {
  if (statement)
    sqlite3_bind_blob64(statement, column,
                        x.bytes.data() ? x.bytes.data() : "", x.bytes.size(),
                        SQLITE_STATIC);
}

void database::bind(sqlite3_stmt* statement, int column,
                    std::optional<int64_t> x) {
  if (x)
    bind(statement, column, *x);
  else if (statement)
    sqlite3_bind_null(statement, column);
}

int64_t database::changes() const {
  return failed_ == 0 ? sqlite3_changes64(file_.get()) : 0;
}

int64_t database::last_id() const {
  return sqlite3_last_insert_rowid(file_.get());
}

// SQLite has done so itself after some failures.
void database::roll_back() {
  if (sqlite3_get_autocommit(file_.get()) == 0)
    sqlite3_exec(file_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

// -- failures -----------------------------------------------------------------

void database::fail(int code) {
  if (failed_ != 0)
    return;
  failed_ = code & 0xff;
  message_ = sqlite3_errmsg(file_.get());
}

expected<void> database::outcome(const char* doing) {
  if (failed_ == 0)
    return {};
  auto result = failure(doing);
  failed_ = 0;
  return result;
}

error database::failure(const char* doing) const {
  auto code = errc::unavailable;
  auto reason = message_;
  if (failed_ == SQLITE_BUSY || failed_ == SQLITE_LOCKED) {
    code = errc::timeout;
    reason = fmt::format("others have kept it locked for {} s",
                         where_.timeout.count() / 1000.0);
  }
  return {code, fmt::format("cannot {} in {}: {}", doing, where_.str(), reason)};
}

error database::refusal(const std::string& why) const {
  return {errc::invalid_setting,
          fmt::format("cannot use {}: {}", where_.str(), why)};
}

// A failure at the beginning: most are for an operator to repair.
error database::refusal_of_failure(const char* doing) const {
  switch (failed_) {
    case SQLITE_NOTADB:
      return refusal("it is not a database");
    case SQLITE_CORRUPT:
      return refusal("it is damaged: " + message_);
    case SQLITE_CANTOPEN:
      return refusal(why_not(where_.path));
    case SQLITE_ERROR: // "table message already exists"
      return refusal(message_ + "; give the broker a file of its own");
    case SQLITE_READONLY:
      return refusal("it is read-only, or its -wal and -shm files are");
    default:
      return failure(doing);
  }
}

expected<void> database::check_file(const char* doing) const {
  if (is_there())
    return {};
  return error{errc::unavailable,
               fmt::format("cannot {} in {}: {}", doing, where_.str(), moved)};
}

bool database::is_there() const {
  struct stat x {};
  return stat(where_.path.c_str(), &x) == 0 && x.st_dev == device_
         && x.st_ino == inode_;
}

// SQLite's own handler sleeps for up to 100 ms; a transaction takes about one.
int database::on_busy(void* self, int count) {
  auto& x = *static_cast<database*>(self);
  auto now = clock::now();
  if (count == 0)
    x.busy_until_ = now + (x.copying_ ? copying_patience : x.where_.timeout);
  else if (now > x.busy_until_)
    return 0;
  std::this_thread::sleep_for(count < 20 ? 50us : 500us);
  return 1;
}

// -- the log --------------------------------------------------------------------

// SQLite's own rule is to copy at each commit once the log is long, until all is
// copied and the log begins anew. Where two write all the time, as a worker's reader
// and writer do, one has nearly always written while the other copied, so that every
// commit would wait for the disk. Here each copies when there is enough anew; and
// when the log has become much too long, nobody writes meanwhile, so that it begins
// anew: but not before most of what may be very much has been copied without that.
// Errors are left to the next commit, as SQLite leaves them.
int database::on_commit(void* self, sqlite3* file, const char* name, int pages) {
  auto& x = *static_cast<database*>(self);
  if (pages < x.copied_)
    x.copied_ = 0; // it has begun anew
  if (pages - x.copied_ < log_pages)
    return SQLITE_OK;
  auto anew = pages > log_pages_max;
  if (!anew || pages > log_pages_much) {
    int length = 0, copied = 0;
    if (sqlite3_wal_checkpoint_v2(file, name, SQLITE_CHECKPOINT_PASSIVE, &length,
                                  &copied)
        != SQLITE_OK)
      return SQLITE_OK; // somebody else copies just now: the next commit looks again
    anew = anew && length - copied < log_pages;
  }
  x.copied_ = pages;
  x.copying_ = anew;
  if (anew)
    sqlite3_wal_checkpoint_v2(file, name, SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
  x.copying_ = false;
  return SQLITE_OK;
}

// -- transactions -------------------------------------------------------------

// What is written into a file that is gone would be lost without a word.
transaction::transaction(database& db) : db_(db) {
  if (!db_.is_there() && db_.failed_ == 0) {
    db_.failed_ = SQLITE_IOERR;
    db_.message_ = moved;
  }
  open_ = db_.execute("BEGIN IMMEDIATE");
}

transaction::~transaction() {
  if (open_)
    db_.roll_back();
}

expected<void> transaction::commit(const char* doing) {
  if (open_ && db_.execute("COMMIT"))
    open_ = false;
  return db_.outcome(doing);
}

} // namespace umbel::sqlite
