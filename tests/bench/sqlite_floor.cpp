// The floor under the embedded broker: bare SQLite, the same tables, the same
// transactions, the same batches. It reserves 64 messages and settles 64
// messages, over and over, with nothing of Umbel's but the text of the schema.
//
// Usage: sqlite_floor <path> <count> <bytes> ack|results
// Makes the file, fills it with `count` messages of that many bytes, and prints
// the seconds from the first reservation to the last settlement.
#include "protocol/broker/sqlite/schema.hpp"

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr int64_t batch_size = 64;

sqlite3* db = nullptr;

void check(int code) {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
    return;
  std::fprintf(stderr, "sqlite_floor: %s\n", sqlite3_errmsg(db));
  std::exit(1);
}

void execute(const char* sql) {
  check(sqlite3_exec(db, sql, nullptr, nullptr, nullptr));
}

class statement {
public:
  explicit statement(const char* sql) {
    check(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle_,
                             nullptr));
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

void fill(int64_t count, size_t bytes) {
  statement message{"INSERT INTO message (queue, step, payload)"
                    " VALUES ('celery', 0, ?1)"};
  statement waiting{"INSERT INTO waiting (queue, step, position, message)"
                    " VALUES ('celery', 0, ?1, ?1)"};
  std::string payload(bytes, 'x');
  execute("BEGIN IMMEDIATE");
  for (int64_t i = 1; i <= count; ++i) {
    message.run(std::string_view{payload});
    waiting.run(i);
  }
  execute("COMMIT");
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
  if (argc != 5) {
    std::fprintf(stderr,
                 "usage: sqlite_floor <path> <count> <bytes> ack|results\n");
    return 2;
  }
  auto count = std::strtol(argv[2], nullptr, 10);
  auto with_results = std::string_view{argv[4]} == "results";
  check(sqlite3_open(argv[1], &db));
  execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
          "PRAGMA wal_autocheckpoint = 4096; PRAGMA secure_delete = OFF;"
          "PRAGMA cache_size = -2000");
  execute(umbel::sqlite::schema);
  fill(count, std::strtoul(argv[3], nullptr, 10));
  double seconds = 0;
  {
    statement first{"SELECT position, message FROM waiting WHERE queue = 'celery'"
                    " ORDER BY step, position LIMIT ?1"};
    statement payload{"SELECT payload FROM message WHERE id = ?1"};
    statement reserve{"INSERT INTO reserved (owner, sequence, message, since)"
                      " VALUES (1, ?1, ?2, ?3)"};
    statement take{"DELETE FROM waiting WHERE queue = 'celery' AND step = 0"
                   " AND position <= ?1"};
    statement settle{"DELETE FROM reserved WHERE owner = 1 AND sequence = ?1"};
    statement remove{"DELETE FROM message WHERE id = ?1"};
    statement result{"INSERT INTO result (id, success, expires, document)"
                     " VALUES (?1, 1, ?2, ?3) ON CONFLICT (id) DO NOTHING"};
    std::string document(200, 'x');
    uint64_t random = 1;
    int64_t sequence = 0;
    int64_t now = 1'790'000'000'000'000;
    auto begin = std::chrono::steady_clock::now();
    for (int64_t done = 0; done < count;) {
      std::vector<std::pair<int64_t, int64_t>> taken; // sequence, message
      execute("BEGIN IMMEDIATE");
      int64_t last = 0;
      for (auto more = first.step(batch_size); more; more = first.next()) {
        last = first.integer(0);
        taken.emplace_back(++sequence, first.integer(1));
      }
      first.reset();
      for (auto& [number, message] : taken) {
        reserve.run(number, message, now);
        payload.step(message);
        payload.bytes(0);
        payload.reset();
      }
      take.run(last);
      execute("COMMIT");
      if (taken.empty()) {
        std::fprintf(stderr, "sqlite_floor: too few messages\n");
        return 1;
      }
      execute("BEGIN IMMEDIATE");
      for (auto& [number, message] : taken) {
        settle.run(number);
        if (with_results)
          result.run(std::string_view{make_id(random)}, now,
                     std::string_view{document});
        remove.run(message);
      }
      execute("COMMIT");
      done += static_cast<int64_t>(taken.size());
    }
    std::chrono::duration<double> took
      = std::chrono::steady_clock::now() - begin;
    seconds = took.count();
  }
  std::printf("%.6f\n", seconds);
  check(sqlite3_close(db));
}
