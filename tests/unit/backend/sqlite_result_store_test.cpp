// Results in a SQLite file. The rules about SUCCESS are in the broker's
// conformance suite.
#define CAF_SUITE sqlite_result_store

#include "tests/unit/dsl.hpp"

#include "protocol/backend/result_listener.hpp"
#include "protocol/backend/result_store.hpp"
#include "protocol/broker/sqlite/statements.hpp"
#include "tests/unit/broker/sqlite_file.hpp"

#include <thread>

using namespace umbel;
using namespace umbel::test;
using namespace std::chrono_literals;
using real_time = std::chrono::steady_clock;

namespace {

struct fixture {
  sqlite_file file;

  std::unique_ptr<result_store> store(std::chrono::seconds expires = 1h) {
    result_store_options options;
    options.result_expires = expires;
    return connect_result_store(file.url(), options).value();
  }

  std::unique_ptr<result_listener> listener() {
    return connect_result_listener(file.url(), {}).value();
  }

  /// Lets what is stored there expire.
  void let_expire(const std::string& id) {
    auto db = file.open();
    db->run("UPDATE result SET expires = 1 WHERE id = ?1", id);
    db->outcome("change").value();
  }

  int64_t count() {
    return file.open()->number("SELECT count(*) FROM result").value();
  }
};

void put(result_store& x, const std::string& id, const std::string& status) {
  result_record record{task_id{id}, R"({"status": ")" + status + "\"}"};
  x.store({&record, 1}).value();
}

std::vector<std::string> heard(result_listener& x,
                               std::chrono::milliseconds timeout = 0ms) {
  std::vector<std::string> result;
  for (auto& record : x.wait(timeout).value())
    result.push_back(record.id.str() + ' ' + record.document);
  return result;
}

using strings = std::vector<std::string>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(sqlite_result_store_tests, fixture)

CAF_TEST(what_is_stored_is_found_and_what_is_forgotten_is_not) {
  auto x = store();
  CAF_CHECK_EQUAL(x->location(), file.url());
  CAF_CHECK(!x->fetch(task_id{"1"}).value());
  put(*x, "1", "STARTED");
  CAF_CHECK_EQUAL(store()->fetch(task_id{"1"}).value().value_or(""),
                  R"({"status": "STARTED"})");
  CAF_CHECK(x->forget(task_id{"1"}).has_value());
  CAF_CHECK(!x->fetch(task_id{"1"}).value());
}

CAF_TEST(results_expire_and_are_swept_by_those_who_write) {
  auto x = store();
  for (auto id : {"1", "2", "3"})
    put(*x, id, "SUCCESS");
  for (auto id : {"1", "2", "3"})
    let_expire(id);
  CAF_CHECK(!x->fetch(task_id{"1"}).value());
  put(*x, "4", "SUCCESS");
  CAF_CHECK_EQUAL(count(), 2);
  put(*x, "5", "SUCCESS");
  CAF_CHECK_EQUAL(count(), 2);
}

CAF_TEST(a_success_that_has_expired_makes_way) {
  auto x = store();
  put(*x, "1", "SUCCESS");
  let_expire("1");
  put(*x, "1", "STARTED");
  CAF_CHECK_EQUAL(x->fetch(task_id{"1"}).value().value_or(""),
                  R"({"status": "STARTED"})");
}

CAF_TEST(no_expiry_is_for_ever) {
  put(*store(0s), "1", "SUCCESS");
  auto endless
    = file.open()->number("SELECT expires IS NULL FROM result").value();
  CAF_CHECK_EQUAL(endless, 1);
}

CAF_TEST(a_listener_hears_of_what_it_asked_for) {
  auto x = store();
  auto y = listener();
  put(*x, "1", "STARTED");
  const std::vector<task_id> ids{task_id{"1"}, task_id{"2"}};
  y->subscribe(ids).value();
  CAF_CHECK_EQUAL(heard(*y), strings{}); // not of what was before
  put(*x, "3", "SUCCESS");
  put(*x, "1", "SUCCESS");
  CAF_CHECK_EQUAL(heard(*y), strings{R"(1 {"status": "SUCCESS"})"});
  CAF_CHECK_EQUAL(heard(*y), strings{});
  put(*x, "2", "STARTED");
  CAF_CHECK_EQUAL(heard(*y), strings{R"(2 {"status": "STARTED"})"});
  put(*x, "2", "PROGRESS");
  put(*x, "2", "FAILURE");
  CAF_CHECK_EQUAL(heard(*y), strings{R"(2 {"status": "FAILURE"})"});
  y->unsubscribe(ids).value();
  put(*x, "2", "SUCCESS");
  CAF_CHECK_EQUAL(heard(*y), strings{});
}

CAF_TEST(who_subscribes_to_more_misses_nothing) {
  auto x = store();
  auto y = listener();
  const task_id one{"1"};
  const task_id two{"2"};
  y->subscribe({&one, 1}).value();
  put(*x, "2", "STARTED");
  put(*x, "1", "SUCCESS");
  y->subscribe({&two, 1}).value();
  put(*x, "2", "SUCCESS");
  CAF_CHECK_EQUAL(heard(*y), (strings{R"(1 {"status": "SUCCESS"})",
                                      R"(2 {"status": "SUCCESS"})"}));
}

CAF_TEST(a_result_wakes_who_waits_for_it_and_so_does_an_interrupt) {
  auto y = listener();
  const task_id one{"1"};
  y->subscribe({&one, 1}).value();
  auto start = real_time::now();
  std::thread other{[&] { put(*store(), "1", "SUCCESS"); }};
  strings found;
  while (found.empty() && real_time::now() - start < 20s)
    found = heard(*y, 1min);
  other.join();
  CAF_CHECK_EQUAL(found, strings{R"(1 {"status": "SUCCESS"})"});
  y->interrupt();
  CAF_CHECK_EQUAL(heard(*y, 1min), strings{});
  CAF_CHECK_LESS(real_time::now() - start, 20s);
}

CAF_TEST_FIXTURE_SCOPE_END()
