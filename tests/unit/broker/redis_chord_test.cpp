// chord.lua, by way of settling and of the result store: its keys. (What is counted, and
// what follows from the last part, is in the conformance suite: `chords`.)
#define CAF_SUITE redis_chord

#include "tests/unit/dsl.hpp"

#include "protocol/backend/redis/redis_result_store.hpp"
#include "tests/unit/broker/chord_parts.hpp"
#include "tests/unit/broker/redis_fixture.hpp"

using namespace umbel;
using namespace umbel::test;

namespace {

const std::string base = "celery-taskset-meta-g";

chord_part part(int index, const std::string& result = "1",
                const std::string& state = "SUCCESS") {
  return chord_part_for("q", index, result, state);
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

CAF_TEST(what_was_added_to_the_chord_later_counts) {
  size(1);
  ask({"SET", base + ".t", "1"});
  settle(part(0));
  CAF_CHECK_EQUAL(queue(), "[]");
  settle(part(1));
  CAF_CHECK_NOT_EQUAL(queue(), "[]");
}

CAF_TEST(a_task_that_joins_is_waited_for_and_counts_once) {
  size(1);
  settlement s;
  s.how = disposition::none; // acknowledged early
  s.workflow.groups = {{"g", group_record::kind::joined, "t0/1"}};
  s.workflow.parts = {part(0)};
  for (auto tag : {"a", "b"}) { // its task was sent twice
    s.tag = delivery_tag{tag};
    life->settle({&s, 1}).value();
  }
  CAF_CHECK_EQUAL(ask({"GET", base + ".t"}), "1");
  CAF_CHECK_EQUAL(queue(), "[]");
  settle(part(1));
  // Nothing of the chord is left.
  std::vector<std::string> left;
  for (auto& x : keyspace())
    if (x.starts_with("celery-"))
      left.push_back(x);
  CAF_CHECK_EQUAL(left, strings{});
  CAF_CHECK_EQUAL(queue(), R"([{"body": "[[1, 1]]"}])");
}

CAF_TEST(what_peers_write_in_other_serializers) {
  for (auto how : {serializer::yaml, serializer::msgpack}) {
    auto written = [&](const char* member) {
      auto x = parse_json(member).value();
      // As PyYAML writes it.
      return how == serializer::yaml ? std::string{"- 1\n- t0\n- SUCCESS\n- - 1\n  - 2\n"}
                                     : serialize(how, x);
    };
    size(2);
    ask({"ZADD", base + ".j", "0", written(R"([1, "t0", "SUCCESS", [1, 2]])")});
    auto last = part(1);
    last.format = how;
    last.unlock = {{queue_name{"q"}, 0, {R"({"unlock": ")", "\"}"}}};
    settle(last);
    CAF_CHECK_EQUAL(queue(), R"([{"unlock": "[[[\"t0\", null], null], )"
                             R"([[\"t1\", null], null]]"}])");
    // As it would be said by a peer: in the bytes that it writes itself.
    ask({"FLUSHALL"});
    size(2);
    settle(last);
    if (how == serializer::msgpack)
      CAF_CHECK_EQUAL(ask({"ZRANGE", base + ".j", "0", "0"}),
                      '[' + serialize(how, parse_json(last.member[0]).value()) + ']');
    ask({"FLUSHALL"});
  }
}

CAF_TEST(the_structure_that_peers_write_in_other_serializers) {
  auto nested = json::object{
    {"result", parse_json(R"([["g", null], [[["t0", null], null],
      [["h", null], [[["t1", null], null]]]]])").value()}};
  for (auto how : {serializer::yaml, serializer::msgpack}) {
    auto text = how == serializer::yaml
                  ? "result:\n- - g\n  - null\n- - - - t0\n      - null\n    - null\n"
                    "  - - - h\n      - null\n    - - - - t1\n          - null\n"
                    "        - null\n"
                  : serialize(how, nested);
    ask({"SET", base, text});
    size(2);
    for (int i : {1, 0}) {
      auto x = part(i);
      x.format = how;
      settle(x);
    }
    CAF_CHECK_EQUAL(queue(), R"([{"body": "[[1, [1]]]"}])");
    ask({"FLUSHALL"});
  }
}

CAF_TEST(keys_of_another_type_hold_up_nothing) {
  ask({"SET", base + ".j", "text"});
  CAF_CHECK(settle(part(0)));
  ask({"SET", base, "no JSON"});
  ask({"DEL", base + ".j"});
  size(1);
  CAF_CHECK(settle(part(0)));
}

CAF_TEST(a_store_elsewhere_leaves_nothing_when_all_is_published) {
  auto results = connect_redis_result_store(server().url(), {}).value();
  auto* store = workflows_of(results.get());
  CAF_REQUIRE(store != nullptr);
  const std::vector<group_record> sizes{
    {"g", group_record::kind::size, "1"}};
  auto last = part(0);
  CAF_CHECK_EQUAL(store->count(sizes, {&last, 1}).value().at(0).size(), 1u);
  store->finish({&last, 1}).value();
  CAF_CHECK_EQUAL(keyspace(), strings{});
}

CAF_TEST(a_store_elsewhere_forgets_the_chord_around_a_failed_one_too) {
  auto results = connect_redis_result_store(server().url(), {}).value();
  auto* store = workflows_of(results.get());
  auto with_outer = [](bool errback) {
    auto inner = failed(0);
    auto outer = failed(0);
    outer.group = "outer";
    outer.task = task_id{"body"};
    inner.errbacks.clear();
    if (!errback)
      outer.errbacks.clear();
    outer.failures.clear();
    inner.failures.clear();
    inner.outer = {outer};
    return inner;
  };
  const std::vector<group_record> sizes{
    {"g", group_record::kind::size, "1"},
    {"outer", group_record::kind::size, "1"}};
  auto told = with_outer(true);
  auto follows = store->count(sizes, {&told, 1}).value();
  CAF_CHECK_EQUAL(follows.at(0).size(), 1u);
  CAF_CHECK_NOT_EQUAL(keyspace(), strings{});
  store->finish({&told, 1}).value();
  CAF_CHECK_EQUAL(keyspace(), strings{});
  // Where nothing is to be published there is nothing to wait for.
  auto silent = with_outer(false);
  CAF_CHECK(store->count(sizes, {&silent, 1}).value().at(0).empty());
  CAF_CHECK_EQUAL(keyspace(), strings{});
}

CAF_TEST_FIXTURE_SCOPE_END()
