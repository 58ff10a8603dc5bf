// What is particular to files that are shared with kombu's SQLAlchemy transport.
#define CAF_SUITE sqla

#include "tests/unit/dsl.hpp"

#include "protocol/broker/sqlite/kombu_statements.hpp"
#include "tests/unit/broker/sqla_world.hpp"

#include <thread>

using namespace umbel;
using namespace umbel::test;
using strings = std::vector<std::string>;
using real_time = std::chrono::steady_clock;

namespace {

class kombu_fixture {
public:
  sqla_world world;
  std::unique_ptr<sqlite::database> peer = world.open();

  /// As kombu publishes: it names the columns that it knows, and rings no bell.
  void put(const std::string& payload, const std::string& queue = "q") {
    peer->run("INSERT OR IGNORE INTO kombu_queue (name) VALUES (?1)", queue);
    peer->run("INSERT INTO kombu_message"
              " (visible, timestamp, payload, version, queue_id) VALUES"
              " (1, NULL, ?1, 1, (SELECT id FROM kombu_queue WHERE name = ?2))",
              payload, queue);
    peer->outcome("publish").value();
  }

  /// As kombu takes: the id of the message, or "".
  std::string take() {
    std::string result;
    std::optional<int64_t> row;
    {
      auto found
        = peer->select("SELECT id, payload FROM kombu_message WHERE queue_id = 1"
                       " AND visible != 0 ORDER BY timestamp, id LIMIT 1");
      if (found.next()) {
        row = found.integer(0);
        result = id_of(std::string{found.text(1)});
      }
    }
    if (row)
      peer->run("UPDATE kombu_message SET visible = 0, version = version + 1,"
                " timestamp = '2026-01-01 00:00:00.000000' WHERE id = ?1",
                *row);
    peer->outcome("take").value();
    return result;
  }

  int64_t number(const char* sql) {
    return peer->number(sql).value();
  }
};

std::string refusal(const std::string& url) {
  auto x = connect_broker(url, {});
  CAF_REQUIRE(!x.has_value());
  CAF_CHECK(x.error().code == errc::invalid_setting);
  return x.error().what;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(sqla_tests, kombu_fixture)

// -- the URL and the file -----------------------------------------------------

CAF_TEST(the_path_is_spelled_as_sqlalchemy_has_it) {
  auto path = [](const char* text) {
    return sqlite::to_address(parse_url(text).value()).value().path;
  };
  auto here = std::filesystem::current_path().string();
  CAF_CHECK_EQUAL(path("sqla+sqlite:////tmp/x.db"), "/tmp/x.db");
  CAF_CHECK_EQUAL(path("sqla+sqlite:///x.db"), here + "/x.db");
  CAF_CHECK_EQUAL(path("sqlalchemy+sqlite:///sub/x.db"), here + "/sub/x.db");
  for (auto url : {"sqla+sqlite://", "sqla+sqlite:///", "sqla+sqlite://x.db",
                   "sqla+sqlite:///:memory:", "sqla+postgresql://h/d"})
    refusal(url);
  CAF_CHECK_EQUAL(world.connect("a@h")->location(), world.url());
}

CAF_TEST(each_kind_of_file_names_the_url_of_the_other) {
  auto path = peer->where().path;
  auto text = refusal("sqlite://" + path);
  CAF_CHECK(text.find("write " + world.url()) != text.npos);
  sqlite_file own;
  own.open();
  text = refusal("sqla+sqlite:///" + own.path());
  CAF_CHECK(text.find("write " + own.url()) != text.npos);
  auto left = own.open();
  CAF_CHECK(!left->number(sqlite::sql::kombu::has_tables));
}

CAF_TEST(a_database_of_another_program_is_refused) {
  sqlite_file other;
  other.open()->run("PRAGMA application_id = 17");
  auto text = refusal("sqla+sqlite:///" + other.path());
  CAF_CHECK(text.find("not one of this broker") != text.npos);
  CAF_CHECK_EQUAL(number("PRAGMA application_id"), 0x756d6271);
}

CAF_TEST(tables_that_kombu_makes_anew_are_completed) {
  peer->run("DROP TABLE kombu_message");
  peer->run("DROP TABLE kombu_queue");
  peer->run("CREATE TABLE kombu_queue (id INTEGER NOT NULL PRIMARY KEY"
            " AUTOINCREMENT, name VARCHAR(200), UNIQUE (name))");
  peer->run("CREATE TABLE kombu_message (id INTEGER NOT NULL PRIMARY KEY"
            " AUTOINCREMENT, visible BOOLEAN, timestamp DATETIME, payload TEXT"
            " NOT NULL, version SMALLINT NOT NULL, queue_id INTEGER)");
  put(message("1"));
  auto x = world.connect("a@h");
  CAF_CHECK(ids_of(reserve(*x)) == strings{"1"});
}

// -- messages of a peer -------------------------------------------------------

CAF_TEST(a_peers_messages_come_by_priority_and_in_its_order) {
  put(message("low", 9));
  put(message("first"));
  put(message("second"));
  put(message("other", 0, "other"), "other");
  put("no message");
  auto x = world.connect("a@h");
  auto taken = reserve(*x);
  CAF_REQUIRE_EQUAL(taken.size(), 4u);
  CAF_CHECK_EQUAL(id_of(taken[0].payload), "first");
  CAF_CHECK_EQUAL(id_of(taken[1].payload), "second");
  CAF_CHECK_EQUAL(taken[2].payload, "no message");
  CAF_CHECK_EQUAL(id_of(taken[3].payload), "low");
  CAF_CHECK_EQUAL(x->size(queue_name{"other"}).value(), 1u);
}

CAF_TEST(each_message_is_taken_by_one_of_both) {
  for (auto id : {"1", "2", "3", "4"})
    put(message(id));
  auto x = world.connect("a@h");
  CAF_CHECK_EQUAL(take(), "1");
  CAF_CHECK(ids_of(reserve(*x, 2)) == (strings{"2", "3"}));
  CAF_CHECK_EQUAL(take(), "4");
  CAF_CHECK(reserve(*x).empty());
  CAF_CHECK_EQUAL(take(), "");
  CAF_CHECK_EQUAL(number("SELECT count(*) FROM kombu_message"), 2);
}

CAF_TEST(what_a_killed_peer_had_is_taken_when_it_is_made_visible) {
  put(message("1"));
  auto x = world.connect("a@h");
  CAF_CHECK_EQUAL(take(), "1");
  CAF_CHECK(reserve(*x).empty());
  peer->run("UPDATE kombu_message SET visible = 1");
  CAF_CHECK(ids_of(reserve(*x)) == strings{"1"});
}

CAF_TEST(what_goes_back_is_where_it_belongs_for_a_peer_too) {
  for (auto id : {"1", "2", "3", "4"})
    put(message(id));
  auto x = world.connect("a@h");
  auto taken = reserve(*x, 2);
  put(message("5"));
  CAF_CHECK(settle(*x, settled(taken[0], disposition::requeue)));
  CAF_CHECK(settle(*x, settled(taken[1], disposition::restore)));
  strings order;
  for (auto id = take(); !id.empty(); id = take())
    order.push_back(id);
  CAF_CHECK(order == (strings{"2", "3", "4", "5", "1"}));
  CAF_CHECK_EQUAL(number("SELECT count(*) FROM kombu_message"
                         " WHERE typeof(payload) <> 'text'"),
                  0);
}

// -- waiting ------------------------------------------------------------------

CAF_TEST(a_commit_of_a_peer_that_rings_no_bell_ends_a_wait) {
  auto x = world.connect("a@h");
  for (auto i = 0; i < 20; ++i) {
    CAF_REQUIRE(reserve(*x).empty());
    auto start = real_time::now();
    std::thread other{[this] { put(message("1")); }};
    strings got;
    while (got.empty() && real_time::now() - start < 20s) {
      x->wait(1min).value();
      for (auto& y : reserve(*x)) {
        got.push_back(id_of(y.payload));
        settle(*x, settled(y));
      }
    }
    other.join();
    CAF_CHECK(got == strings{"1"});
    CAF_CHECK_LESS(real_time::now() - start, 20s);
  }
}

CAF_TEST(commits_without_a_message_end_no_wait) {
  auto x = world.connect("a@h");
  CAF_REQUIRE(reserve(*x).empty());
  put(message("1", 0, "other"), "other");
  auto start = real_time::now();
  x->wait(50ms).value();
  CAF_CHECK_GREATER_OR_EQUAL(real_time::now() - start, 50ms);
  x->interrupt();
  x->wait(30s).value();
  CAF_CHECK_LESS(real_time::now() - start, 20s);
}

CAF_TEST_FIXTURE_SCOPE_END()
