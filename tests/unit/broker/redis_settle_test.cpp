// settle.lua: the whole keyspace before and after.
#define CAF_SUITE redis_settle

#include "tests/unit/dsl.hpp"

#include "protocol/broker/redis/dead_letters.hpp"
#include "tests/unit/broker/redis_fixture.hpp"

using namespace umbel;
using namespace umbel::test;

namespace {

const std::string success = R"({"status": "SUCCESS", "result": 1})";
const std::string failure = R"({"status": "FAILURE", "result": 2})";

struct fixture : redis_fixture {
  fixture() {
    for (auto tag : {"a", "b", "c"}) {
      ask({"HSET", "unacked", tag, "entry"});
      ask({"ZADD", "unacked_index", "1", tag});
    }
  }

  // Each settlement: tag, steps, values.
  std::string settle(const std::vector<strings>& settlements,
                     const std::string& expires = "60") {
    strings args{expires, "umbel.settled.", "umbel.dead.", "2", "60",
                 time, std::to_string(settlements.size())};
    for (auto& x : settlements)
      args.insert(args.end(), x.begin(), x.end());
    return run(redis::scripts::settle,
               {"unacked", "unacked_index", "umbel.delayed"}, args);
  }

  std::string time = "0"; // the caller's

  // The ledger with these tags, and other lines.
  static strings ledger(const strings& tags, strings others = {}) {
    std::string unacked = "unacked: hash";
    std::string index = "unacked_index: zset";
    for (auto& tag : tags) {
      unacked += ' ' + tag + "=entry";
      index += ' ' + tag;
    }
    if (!tags.empty()) {
      others.push_back(unacked);
      others.push_back(index);
    }
    std::sort(others.begin(), others.end());
    return others;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(redis_settle_tests, fixture)

CAF_TEST(acknowledgements_remove_their_tags_alone) {
  CAF_CHECK_EQUAL(settle({{"a", "f"}, {"c", "f"}}), "11");
  CAF_CHECK_EQUAL(keyspace(), ledger({"b"}));
}

CAF_TEST(a_tag_that_is_gone_or_named_twice_has_no_effect) {
  CAF_CHECK_EQUAL(settle({{"x", "f"}, {"a", "f"}, {"a", "f"}, {"b", "f"}}),
                  "0101");
  CAF_CHECK_EQUAL(keyspace(), ledger({"c"}));
}

CAF_TEST(a_settlement_does_everything_or_nothing) {
  CAF_CHECK_EQUAL(settle({{"x", "fRPBD", "r1", failure, "q", "m1", "q", "m2",
                           "umbel.dead.q", "d1"},
                          {"a", "fRPBD", "r2", failure, "q", "m3", "q", "m4",
                           "umbel.dead.q", "d2"}}),
                  "01");
  CAF_CHECK_EQUAL(keyspace(),
                  ledger({"b", "c"}, {"q: list m3 m4",
                                      "r2: string " + failure + " (expires)",
                                      "umbel.dead.q: list d2"}));
}

CAF_TEST(without_a_fence_the_ledger_is_left_alone) {
  CAF_CHECK_EQUAL(settle({{"a", "nR", "r", failure}}), "1");
  CAF_CHECK_EQUAL(settle({{"a", "nR", "r", success}}, "0"), "1");
  CAF_CHECK_EQUAL(keyspace(),
                  ledger({"a", "b", "c"}, {"r: string " + success}));
}

CAF_TEST(publishing_without_a_fence_happens_once) {
  CAF_CHECK_EQUAL(settle({{"x", "oRP", "r", failure, "q", "m"}}), "1");
  ask({"SET", "r", "later"});
  CAF_CHECK_EQUAL(settle({{"x", "oRP", "r", failure, "q", "m"}}), "0");
  CAF_CHECK_EQUAL(keyspace(), ledger({"a", "b", "c"},
                                     {"q: list m", "r: string later",
                                      "umbel.settled.x: string 1 (expires)"}));
}

CAF_TEST(a_stored_success_is_never_overwritten) {
  for (auto stored : {success, std::string{R"({"status":"SUCCESS"})"},
                      std::string{R"({ "status" : "SUCCESS"})"},
                      std::string{R"({"result": {"status": "FAILURE"}, )"
                                  R"("status": "SUCCESS"})"}}) {
    ask({"SET", "r", stored});
    CAF_CHECK_EQUAL(settle({{"", "nR", "r", failure}}), "1");
    CAF_CHECK_EQUAL(ask({"GET", "r"}), stored);
  }
}

CAF_TEST(any_other_state_is_overwritten) {
  for (auto stored : {failure, std::string{R"({"status": "SUCCESSFUL"})"},
                      std::string{R"({"result": {"status": "SUCCESS"}})"},
                      std::string{R"([{"status": "SUCCESS"}])"},
                      std::string{"\x80\x04"}, std::string{}}) {
    ask({"SET", "r", stored});
    CAF_CHECK_EQUAL(settle({{"", "nR", "r", success}}), "1");
    CAF_CHECK_EQUAL(ask({"GET", "r"}), success);
    CAF_CHECK(ask({"TTL", "r"}) != "-1");
  }
  ask({"DEL", "r"});
  ask({"LPUSH", "r", "not even a string"});
  CAF_CHECK_EQUAL(settle({{"", "nR", "r", success}}), "1");
  CAF_CHECK_EQUAL(ask({"GET", "r"}), success);
}

CAF_TEST(dead_letters_are_bounded_newest_first) {
  for (auto text : {"d1", "d2", "d3"})
    settle({{"x", "nD", "umbel.dead.q", text}});
  CAF_CHECK_EQUAL(ask({"LRANGE", "umbel.dead.q", "0", "-1"}), "[d3 d2]");
}

CAF_TEST(a_message_for_a_key_that_is_no_list_is_parked) {
  ask({"SET", "q", "no list"});
  CAF_CHECK_EQUAL(settle({{"a", "fRP", "r", failure, "q", "m"}}), "1");
  CAF_CHECK_EQUAL(ask({"GET", "r"}), failure);
  auto letter = redis::parse_dead_letter(ask({"LINDEX", "umbel.dead.q", "0"}));
  CAF_CHECK(letter.reason.find("WRONGTYPE") != std::string::npos);
  CAF_CHECK_EQUAL(letter.payload, "m");
}

CAF_TEST(a_full_server_settles_what_frees_memory_and_refuses_the_rest_whole) {
  ask({"CONFIG", "SET", "maxmemory", "1"});
  auto done = settle({{"a", "fRP", "r", failure, "q", "m"}});
  auto before = keyspace();
  auto refused = settle({{"x", "nR", "r2", failure}, {"x", "oP", "q", "m2"}});
  ask({"CONFIG", "SET", "maxmemory", "0"});
  CAF_CHECK_EQUAL(done, "1");
  CAF_CHECK(refused.starts_with("OOM"));
  CAF_CHECK_EQUAL(keyspace(), before);
  CAF_CHECK_EQUAL(
      keyspace(),
      ledger({"b", "c"}, {"q: list m", "r: string " + failure + " (expires)"}));
}

CAF_TEST(a_requeued_message_goes_to_the_far_end_of_its_priority_list) {
  auto x = connect(options());
  const std::string sent =
      R"({"body": "", "headers": {}, "properties": {"priority": 4, )"
      R"("delivery_info": {"exchange": "", "routing_key": "q"}}})";
  outgoing_message message{queue_name{"q"}, 4, sent};
  for (auto how : {disposition::requeue, disposition::restore}) {
    ask({"DEL", "q\x06\x16"
                "3"});
    x->publish({&message, 1}).value();
    auto got = x->reserve(1).value();
    CAF_REQUIRE_EQUAL(got.size(), 1u);
    ask({"LPUSH",
         "q\x06\x16"
         "3",
         "another"});
    settlement s;
    s.tag = got[0].tag;
    s.queue = got[0].queue;
    s.how = how;
    CAF_CHECK(x->settle({&s, 1}).value().front());
    auto at = how == disposition::requeue ? "0" : "-1";
    auto back = ask({"LINDEX",
                     "q\x06\x16"
                     "3",
                     at});
    CAF_CHECK(back.find("redelivered") != std::string::npos);
    CAF_CHECK_EQUAL(ask({"LLEN", "q\x06\x16"
                                 "3"}),
                    "2");
  }
}

CAF_TEST(what_is_no_envelope_goes_back_as_it_is) {
  auto x = connect(options());
  outgoing_message message{queue_name{"q"}, 0, "\xff no, json\"]"};
  x->publish({&message, 1}).value();
  auto got = x->reserve(1).value();
  CAF_REQUIRE_EQUAL(got.size(), 1u);
  CAF_CHECK_EQUAL(got[0].payload, message.payload);
  settlement s;
  s.tag = got[0].tag;
  s.queue = got[0].queue;
  s.how = disposition::requeue;
  CAF_CHECK(x->settle({&s, 1}).value().front());
  CAF_CHECK_EQUAL(ask({"LRANGE", "q", "0", "-1"}), '[' + message.payload + ']');
}

CAF_TEST(results_on_another_database_are_not_taken) {
  auto opts = options();
  opts.result_url = server().url(1);
  auto x = connect(opts);
  CAF_CHECK(!x->stores_results());
  settlement s;
  s.tag = delivery_tag{"a"};
  s.result = result_record{task_id{"t"}, success};
  auto done = x->settle({&s, 1});
  CAF_REQUIRE(!done);
  CAF_CHECK(done.error().code == errc::unsupported);
  CAF_CHECK_EQUAL(keyspace(), ledger({"a", "b", "c"}));
}

CAF_TEST(a_result_is_announced_on_the_channel_of_its_key) {
  auto second = redis::connection::open(admin->where(), {}).value();
  second->command({"SUBSCRIBE", "celery-task-meta-t"}, "test").value();
  auto x = connect(options());
  CAF_CHECK(x->stores_results());
  settlement s;
  s.how = disposition::none;
  s.result = result_record{task_id{"t"}, success};
  x->settle({&s, 1}).value();
  auto heard = second->receive("test").value();
  CAF_CHECK_EQUAL(text(*heard), "[message celery-task-meta-t " + success + ']');
}

CAF_TEST_FIXTURE_SCOPE_END()
