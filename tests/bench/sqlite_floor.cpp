// The floor under the embedded broker: bare SQLite, the same tables, the same
// statements, the same transactions. It reserves 64 messages on one connection and
// settles 64 messages on another, as a worker's reader and writer do, over and over;
// of Umbel there is nothing but the text of its SQL.
//
// What it has easier than a worker: its connections take turns, neither waits for the
// other's lock or for a core, and nobody waits for messages or rings. What it has
// harder: 64 is what the other floors take at once, but a worker under load reserves
// and settles more, which costs less for each. `batch` says how many.
//
// Usage: sqlite_floor <path> <count> <bytes> ack|results [batch]
// Makes the file, fills it with `count` messages of that many bytes, and prints
// the seconds from the first reservation to the last settlement.
#include "protocol/broker/sqlite/schema.hpp"
#include "protocol/broker/sqlite/statements.hpp"

#include <sqlite3.h>

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sql = umbel::sqlite::sql;

namespace {

void check(int code) {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
    return;
  std::fprintf(stderr, "sqlite_floor: %s\n", sqlite3_errstr(code));
  std::exit(1);
}

class connection {
public:
  explicit connection(const char* path) : path_(path) {
    check(sqlite3_open(path, &handle_));
    execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "PRAGMA wal_autocheckpoint = 4096; PRAGMA secure_delete = OFF;"
            "PRAGMA cache_size = -2000");
  }

  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  ~connection() {
    check(sqlite3_close(handle_));
  }

  sqlite3* handle() {
    return handle_;
  }

  void execute(const char* text) {
    check(sqlite3_exec(handle_, text, nullptr, nullptr, nullptr));
  }

  /// Not into a file that was deleted.
  void begin() {
    struct stat x {};
    if (stat(path_, &x) != 0)
      std::exit(1);
    execute("BEGIN IMMEDIATE");
  }

  void commit() {
    execute("COMMIT");
  }

private:
  const char* path_;
  sqlite3* handle_ = nullptr;
};

class statement {
public:
  statement(connection& of, const char* text) {
    check(sqlite3_prepare_v3(of.handle(), text, -1, SQLITE_PREPARE_PERSISTENT,
                             &handle_, nullptr));
  }

  statement(const statement&) = delete;
  statement& operator=(const statement&) = delete;

  ~statement() {
    sqlite3_finalize(handle_);
  }

  void bind(int column, int64_t x) {
    check(sqlite3_bind_int64(handle_, column, x));
  }

  void bind(int column, std::string_view x) {
    check(sqlite3_bind_text64(handle_, column, x.data(), x.size(),
                              SQLITE_STATIC, SQLITE_UTF8));
  }

  template <class... Ts>
  bool step(const Ts&... xs) {
    int column = 0;
    (bind(++column, xs), ...);
    auto code = sqlite3_step(handle_);
    check(code);
    return code == SQLITE_ROW;
  }

  bool next() {
    auto code = sqlite3_step(handle_);
    check(code);
    return code == SQLITE_ROW;
  }

  int64_t integer(int column) {
    return sqlite3_column_int64(handle_, column);
  }

  size_t bytes(int column) {
    return std::string(static_cast<const char*>(
                         sqlite3_column_blob(handle_, column)),
                       static_cast<size_t>(
                         sqlite3_column_bytes(handle_, column)))
      .size();
  }

  void reset() {
    sqlite3_reset(handle_);
  }

  template <class... Ts>
  void run(const Ts&... xs) {
    step(xs...);
    reset();
  }

private:
  sqlite3_stmt* handle_ = nullptr;
};

void fill(connection& to, int64_t count, size_t bytes) {
  statement message{to, sql::add_message};
  statement waiting{to, "INSERT INTO waiting (queue, step, position, message)"
                        " VALUES ('celery', 0, ?1, ?1)"};
  std::string payload(bytes, 'x');
  to.begin();
  for (int64_t i = 1; i <= count; ++i) {
    message.run(std::string_view{"celery"}, int64_t{0}, std::string_view{payload});
    waiting.run(i);
  }
  to.commit();
}

/// As random as a task's.
std::string make_id(uint64_t& state) {
  std::string result(36, '-');
  for (auto& c : result) {
    state = state * 6364136223846793005 + 1442695040888963407;
    c = "0123456789abcdef"[state >> 60];
  }
  return result;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) {
    std::fprintf(stderr, "usage: sqlite_floor <path> <count> <bytes> ack|results"
                         " [batch]\n");
    return 2;
  }
  auto count = std::strtol(argv[2], nullptr, 10);
  auto with_results = std::string_view{argv[4]} == "results";
  int64_t batch = argc == 6 ? std::strtol(argv[5], nullptr, 10) : 64;
  constexpr std::string_view queue = "celery";
  constexpr std::string_view name = "floor@localhost/floor";
  constexpr int64_t now = 1'790'000'000'000'000;
  connection reader{argv[1]};
  reader.execute(umbel::sqlite::schema);
  fill(reader, count, std::strtoul(argv[3], nullptr, 10));
  connection writer{argv[1]};
  statement{writer, sql::extend_lease}.step(name, now + 1);

  statement living_owner{reader, sql::living_owner};
  statement next_waiting{reader, sql::next_waiting};
  statement add_reserved{reader, sql::add_reserved};
  statement take_waiting{reader, sql::take_waiting};
  statement reserved_since{reader, sql::reserved_since};

  statement owner_id{writer, sql::owner_id};
  statement reserved_between{writer, sql::reserved_between};
  statement remove_reserved{writer, sql::remove_reserved};
  statement result{writer, "INSERT INTO result (id, success, expires, document)"
                           " VALUES (?1, 1, ?2, ?3) ON CONFLICT (id) DO NOTHING"};
  statement remove_messages{writer, sql::remove_messages};

  std::string document(200, 'x');
  uint64_t random = 1;
  int64_t sequence = 1; // the next one
  auto begin = std::chrono::steady_clock::now();
  for (int64_t done = 0; done < count;) {
    std::vector<std::pair<int64_t, int64_t>> next; // position, message
    auto first = sequence;
    reader.begin();
    living_owner.step(name, now);
    auto owner = living_owner.integer(0);
    living_owner.reset();
    for (auto more = next_waiting.step(queue, batch); more;
         more = next_waiting.next())
      next.emplace_back(next_waiting.integer(1), next_waiting.integer(2));
    next_waiting.reset();
    if (next.empty()) {
      std::fprintf(stderr, "sqlite_floor: too few messages\n");
      return 1;
    }
    for (auto& [position, message] : next)
      add_reserved.run(owner, sequence++, message, now);
    take_waiting.run(queue, int64_t{0}, next.back().first);
    for (auto more = reserved_since.step(owner, first, batch); more;
         more = reserved_since.next())
      reserved_since.bytes(3);
    reserved_since.reset();
    reader.commit();

    std::vector<int64_t> taken;
    writer.begin();
    owner_id.step(name);
    owner_id.reset();
    for (auto more = reserved_between.step(owner, first, sequence - 1); more;
         more = reserved_between.next())
      taken.push_back(reserved_between.integer(1));
    reserved_between.reset();
    remove_reserved.run(owner, first, sequence - 1);
    if (with_results)
      for (size_t i = 0; i < taken.size(); ++i)
        result.run(std::string_view{make_id(random)}, now,
                   std::string_view{document});
    remove_messages.run(taken.front(), taken.back());
    writer.commit();
    done += static_cast<int64_t>(taken.size());
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.6f\n", took.count());
}
