// The embedded broker's ledger: many entries at once.
#define CAF_SUITE sqlite_ledger

#include "protocol/broker/sqlite/ledger.hpp"
#include "protocol/broker/sqlite/statements.hpp"
#include "tests/unit/broker/sqlite_file.hpp"
#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace umbel::sqlite;
using namespace umbel::test;

namespace {

using messages = std::vector<std::optional<int64_t>>;

struct fixture {
  sqlite_file file;
  std::unique_ptr<database> db = file.open();

  /// The message of entry n of owner m is 10 * m + n.
  void reserve(int64_t owner, std::initializer_list<int64_t> numbers) {
    for (auto n : numbers) {
      db->run(sql::add_reserved, owner, n, 10 * owner + n, 0);
      db->run("INSERT INTO message (id, queue, step, payload)"
              " VALUES (?1, 'q', 0, '')",
              10 * owner + n);
    }
  }

  std::vector<int64_t> left(const char* sql) {
    std::vector<int64_t> result;
    auto found = db->select(sql);
    while (found.next())
      result.push_back(found.integer(0));
    return result;
  }
};

constexpr auto entries_left = "SELECT 10 * owner + sequence FROM reserved"
                              " ORDER BY owner, sequence";
constexpr auto messages_left = "SELECT id FROM message ORDER BY id";

} // namespace

CAF_TEST_FIXTURE_SCOPE(sqlite_ledger_tests, fixture)

CAF_TEST(entries are taken whatever their order and whatever lies between) {
  reserve(1, {1, 2, 3, 5, 6, 8});
  reserve(2, {2, 3});
  std::vector<entry> wanted{{1, 6}, {2, 3}, {1, 1}, {1, 5}, {1, 2}};
  auto taken = take_reserved(*db, wanted);
  CAF_CHECK_EQUAL(taken, (messages{16, 23, 11, 15, 12}));
  CAF_CHECK_EQUAL(left(entries_left), (std::vector<int64_t>{13, 18, 22}));
}

CAF_TEST(what is not there is nothing) {
  reserve(1, {2, 4});
  std::vector<entry> wanted{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {1, 5}, {0, 4}};
  auto taken = take_reserved(*db, wanted);
  CAF_CHECK_EQUAL(taken, (messages{{}, 12, {}, 14, {}, {}}));
  auto again = take_reserved(*db, wanted);
  CAF_CHECK_EQUAL(again, messages(6));
}

CAF_TEST(an entry that is named twice is given once and to the first) {
  reserve(1, {1, 2});
  std::vector<entry> wanted{{1, 2}, {1, 1}, {1, 2}, {1, 1}};
  auto taken = take_reserved(*db, wanted);
  CAF_CHECK_EQUAL(taken, (messages{12, 11, {}, {}}));
}

CAF_TEST(nothing is asked for nothing) {
  auto taken = take_reserved(*db, {});
  CAF_CHECK(taken.empty());
  remove_messages(*db, {});
  CAF_CHECK(db->outcome("do nothing").has_value());
}

CAF_TEST(messages are removed and their neighbours are not) {
  reserve(1, {1, 2, 3, 5, 6, 8});
  remove_messages(*db, {16, 12, 13, 18});
  CAF_CHECK_EQUAL(left(messages_left), (std::vector<int64_t>{11, 15}));
}

CAF_TEST_FIXTURE_SCOPE_END()
