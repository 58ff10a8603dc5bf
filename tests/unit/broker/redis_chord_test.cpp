// chord.lua, by way of settling and of the result store: what is counted, and
// what follows from the last part.
#define CAF_SUITE redis_chord

#include "tests/unit/dsl.hpp"

#include "protocol/backend/redis/redis_result_store.hpp"
#include "tests/unit/broker/redis_fixture.hpp"

using namespace umbel;
using namespace umbel::test;

namespace {

const std::string base = "celery-taskset-meta-g";

chord_part part(int index, const std::string& result = "1",
                const std::string& state = "SUCCESS") {
  chord_part to;
  to.group = "g";
  to.index = index;
  to.task = task_id{"t" + std::to_string(index)};
  to.member = {"[1, \"" + to.task.str() + "\", \"" + state + "\", " + result
               + ']'};
  to.body = {{queue_name{"q"}, 0, {R"({"body": "[)", R"(]"})"}}};
  to.failures = {{task_id{"body"}, {R"({"status": "FAILURE", "why": ")", "\"}"},
                  ""}};
  to.errbacks = {{queue_name{"q"}, 0, {"errback"}}};
  return to;
}

chord_part failed(int index) {
  return part(index, R"({"exc_type": "ValueError", "exc_message": ["it's"]})",
              "FAILURE");
}

struct fixture : redis_fixture {
  std::unique_ptr<broker> life = connect(options());
  int deliveries = 0;

  void size(int n) {
    ask({"SET", base + ".s", std::to_string(n)});
  }

  /// Settles a task that was a part of a chord. @returns whether it took effect
  bool settle(chord_part x, bool owned = true) {
    settlement s;
    s.tag = delivery_tag{"tag" + std::to_string(++deliveries)};
    if (owned) {
      ask({"HSET", "unacked", s.tag.str(), "entry"});
      ask({"ZADD", "unacked_index", "1", s.tag.str()});
    }
    s.workflow.parts = {std::move(x)};
    return life->settle({&s, 1}).value().at(0);
  }

  std::string queue() {
    return ask({"LRANGE", "q", "0", "-1"});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(redis_chord_tests, fixture)

CAF_TEST(the_last_part_publishes_the_body_and_nothing_is_left) {
  size(3);
  settle(part(2, R"("two/\"")"));
  settle(part(0, "[]"));
  CAF_CHECK_EQUAL(queue(), "[]");
  settle(part(1, R"({"x": 1.0})"));
  // In the order of the header, as a part of a JSON string.
  auto body = R"(q: list {"body": "[[[], {\"x\": 1.0}, \"two\/\\\"\"]]"})";
  CAF_CHECK_EQUAL(keyspace(), (strings{body}));
}

CAF_TEST(a_part_that_runs_twice_counts_once_and_its_first_result_holds) {
  size(2);
  settle(part(0, "1"));
  settle(part(0, "2"));
  settle(part(0, "3", "FAILURE"));
  CAF_CHECK_EQUAL(queue(), "[]");
  settle(part(1));
  CAF_CHECK_EQUAL(queue(), R"([{"body": "[[1, 1]]"}])");
}

CAF_TEST(a_part_that_has_failed_may_still_succeed) {
  size(2);
  settle(failed(0));
  settle(part(0, "7"));
  settle(part(1, "8"));
  CAF_CHECK_EQUAL(queue(), R"([{"body": "[[7, 8]]"}])");
}

CAF_TEST(parts_that_run_again_afterwards_start_nothing) {
  size(2);
  for (int i : {0, 1, 0, 1})
    settle(part(i));
  CAF_CHECK_EQUAL(queue(), R"([{"body": "[[1, 1]]"}])");
}

CAF_TEST(who_has_lost_a_part_does_not_count_it) {
  size(1);
  CAF_CHECK(!settle(part(0), false));
  CAF_CHECK_EQUAL(queue(), "[]");
}

CAF_TEST(without_a_size_it_waits_for_one) {
  settle(part(0));
  settle(part(1));
  size(2);
  CAF_CHECK_EQUAL(queue(), "[]");
  settle(part(1)); // the next one that comes sees it
  CAF_CHECK_EQUAL(queue(), R"([{"body": "[[1, 1]]"}])");
}

CAF_TEST(what_was_added_to_the_chord_later_counts) {
  size(1);
  ask({"SET", base + ".t", "1"});
  settle(part(0));
  CAF_CHECK_EQUAL(queue(), "[]");
  settle(part(1));
  CAF_CHECK_NOT_EQUAL(queue(), "[]");
}

CAF_TEST(a_failed_part_fails_the_body_and_the_chord_that_it_is_a_part_of) {
  size(2);
  ask({"SET", "celery-taskset-meta-outer.s", "2"});
  auto x = failed(0);
  chord_part outer = part(1);
  outer.group = "outer";
  outer.task = task_id{"body"};
  outer.member = {R"([1, "body", "FAILURE", {"exc_type": "ChordError", )"
                  R"("exc_message": [")",
                  "\"]}]"};
  settle(part(1));
  x.outer = {outer};
  settle(x);
  CAF_CHECK_EQUAL(queue(), "[errback]");
  auto document =
    R"x({"status": "FAILURE", "why": "Dependency t0 raised ValueError(\"it's\")"})x";
  CAF_CHECK_EQUAL(ask({"GET", "celery-task-meta-body"}), document);
  auto counted = ask({"ZRANGE", "celery-taskset-meta-outer.j", "0", "-1"});
  CAF_CHECK_NOT_EQUAL(counted.find("Dependency t0 raised"), std::string::npos);
}

CAF_TEST(a_nested_header_gives_a_nested_list) {
  size(3);
  ask({"SET", base,
       R"({"result": [["g", null], [[["t2", null], null],
           [["h", null], [[["t0", null], null], [["t1", null], null]]]]]})"});
  for (int i : {0, 1, 2})
    settle(part(i, std::to_string(i)));
  CAF_CHECK_EQUAL(queue(), R"([{"body": "[[2, [0, 1]]]"}])");
}

CAF_TEST(keys_of_another_type_hold_up_nothing) {
  ask({"SET", base + ".j", "text"});
  CAF_CHECK(settle(part(0)));
  ask({"SET", base, "no JSON"});
  ask({"DEL", base + ".j"});
  size(1);
  CAF_CHECK(settle(part(0)));
}

CAF_TEST(a_store_elsewhere_says_what_follows_until_it_is_published) {
  auto results = connect_redis_result_store(server().url(), {}).value();
  auto* store = workflows_of(results.get());
  CAF_REQUIRE(store != nullptr);
  const std::vector<group_record> sizes{
    {"g", group_record::kind::size, "2"}};
  auto count = [&](const chord_part& x,
                   std::span<const group_record> groups = {}) {
    auto all = store->count(groups, {&x, 1}).value();
    CAF_REQUIRE_EQUAL(all.size(), 1u);
    return all[0].empty() ? "" : all[0][0].payload.at(0);
  };
  CAF_CHECK_EQUAL(count(part(0), sizes), "");
  auto body = R"({"body": "[[1, 1]]"})";
  auto last = part(1);
  CAF_CHECK_EQUAL(count(last), body);
  CAF_CHECK_EQUAL(count(last), body);    // it may not have been published
  CAF_CHECK_EQUAL(count(part(0)), ""); // but not because of others
  store->finish({&last, 1}).value();
  CAF_CHECK_EQUAL(keyspace(), strings{});
}

CAF_TEST_FIXTURE_SCOPE_END()
