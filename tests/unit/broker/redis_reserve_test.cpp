// reserve.lua: the whole keyspace before and after.
#define CAF_SUITE redis_reserve

#include "tests/unit/dsl.hpp"

#include "protocol/broker/redis/listener.hpp"
#include "tests/unit/broker/redis_fixture.hpp"

using namespace umbel;
using namespace umbel::test;

namespace {

struct fixture : redis_fixture {
  std::string reader; ///< who reserves

  // Queue q with all four steps, as node n of incarnation i.
  std::string reserve(int first, int max, bool look_behind = false,
                      bool lease_is_kept = false, bool awaited = false) {
    const std::string sep = "\x06\x16";
    strings lists{"q" + sep + "3", "q" + sep + "6", "q" + sep + "9"};
    if (!awaited)
      lists.insert(lists.begin(), "q");
    return run(redis::scripts::reserve, lists,
               {"unacked", "unacked_index", "umbel.lease.i",
                "umbel.incarnations", "i", "n", "60000", "n/i/",
                std::to_string(first), std::to_string(max), "0", "1",
                std::to_string(look_behind + 2 * lease_is_kept),
                awaited ? "q" : "", "umbel.reader.i", reader, R"(, "", "q"])"});
  }

  const strings alive{"umbel.incarnations: hash i=n",
                      "umbel.lease.i: string n (expires)"};

  strings with_alive(strings xs) const {
    xs.insert(xs.end(), alive.begin(), alive.end());
    std::sort(xs.begin(), xs.end());
    return xs;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(redis_reserve_tests, fixture)

CAF_TEST(nothing_is_reserved_without_a_lease_that_another_connection_keeps) {
  ask({"LPUSH", "q", "a"});
  CAF_CHECK_EQUAL(reserve(7, 2, false, true), "LEASE the lease has ended");
  CAF_CHECK_EQUAL(keyspace(), (strings{"q: list a"}));
  ask({"SET", "umbel.lease.i", "n"});
  CAF_CHECK_EQUAL(reserve(7, 2, false, true), "[0 1 1 a]");
}

CAF_TEST(who_is_superseded_reserves_nothing) {
  auto supersede = [&](const std::string& name) {
    run(redis::scripts::supersede, {"umbel.reader.i"}, {name});
  };
  ask({"LPUSH", "q", "a", "b"});
  reader = "first";
  CAF_CHECK_EQUAL(reserve(1, 1), "SUPERSEDED another connection reserves now");
  supersede("first");
  CAF_CHECK_EQUAL(reserve(1, 1), "[0 1 1 a]");
  supersede("second");
  CAF_CHECK_EQUAL(reserve(1, 1), "SUPERSEDED another connection reserves now");
  CAF_CHECK_EQUAL(ask({"LRANGE", "q", "0", "-1"}), "[b]");
  reader = "second";
  CAF_CHECK_EQUAL(reserve(2, 1), "[0 1 1 b]");
}

CAF_TEST(what_is_pushed_is_announced_and_what_is_reserved_is_not) {
  ask({"SET", "umbel.lease.i", "n"});
  auto announcements = redis::listener::open(*admin, {}, redis::own_changes::announced).value();
  auto announced = [&] {
    ask({"PING"}); // what was written before its answer has arrived
    return announcements->look().value().announced;
  };
  CAF_CHECK_EQUAL(reserve(1, 2, false, true), "[0]");
  CAF_CHECK(!announced());
  for (auto tag : {1, 2}) {
    ask({"LPUSH", "q", "a"});
    CAF_CHECK(announced());
    CAF_CHECK_EQUAL(reserve(tag, 2, false, true), "[0 1 1 a]");
    CAF_CHECK(!announced());
  }
}

CAF_TEST(of_a_list_that_is_waited_for_nothing_is_announced) {
  ask({"SET", "umbel.lease.i", "n"});
  auto announcements =
      redis::listener::open(*admin, {}, redis::own_changes::ignored).value();
  auto client = redis::connection::open(server().url(), {}).value();
  auto push = [&](const std::string& list, const std::string& text) {
    client->command({"LPUSH", list, text}, "test").value();
  };
  auto announced = [&] {
    ask({"PING"}); // what was written before its answer has arrived
    return announcements->look().value().announced;
  };
  auto reserve_awaited = [&](int first) {
    return reserve(first, 3, false, true, true);
  };
  CAF_CHECK_EQUAL(reserve_awaited(1), "[0]");
  push("q", "a");
  CAF_CHECK(!announced());
  CAF_CHECK_EQUAL(reserve_awaited(1), "[0 1 1 a]");
  CAF_CHECK(!announced());
  // The others are as ever, and come after it.
  for (auto tag : {2, 4}) {
    push("q\x06\x16" "6", "c");
    CAF_CHECK(announced());
    push("q", "b");
    CAF_CHECK_EQUAL(reserve_awaited(tag), "[0 1 1 b 3 1 c]");
    CAF_CHECK(!announced());
  }
  CAF_CHECK_EQUAL(ask({"HKEYS", "unacked"}), "[n/i/1 n/i/2 n/i/3 n/i/4 n/i/5]");
}

CAF_TEST(messages_move_into_the_ledger_under_new_tags) {
  ask({"LPUSH", "q", "a", "b", "c"});
  CAF_CHECK_EQUAL(reserve(7, 2), "[0 1 2 a b]");
  CAF_CHECK_EQUAL(keyspace(), with_alive({"q: list c",
                                          R"(unacked: hash n/i/7=[a, "", "q"])"
                                          R"( n/i/8=[b, "", "q"])",
                                          "unacked_index: zset n/i/7 n/i/8"}));
}

CAF_TEST(the_time_is_the_servers_with_microseconds) {
  ask({"LPUSH", "q", "a"});
  auto before = std::stod(ask({"EVAL",
                               "local t = redis.call('TIME') return "
                               "t[1] .. '.' .. t[2]",
                               "0"}));
  reserve(1, 1);
  auto score = ask({"ZSCORE", "unacked_index", "n/i/1"});
  CAF_CHECK(std::stod(score) > before - 1.5);
  CAF_CHECK(std::stod(score) < before + 60);
  ask({"LPUSH", "q", "a", "a", "a"});
  reserve(2, 3);
  // A fraction that is zero four times out of four would be a rounded one.
  std::string all = score + ask({"ZSCORE", "unacked_index", "n/i/2"});
  CAF_CHECK(all.find('.') != std::string::npos);
}

CAF_TEST(urgent_lists_come_first) {
  ask({"LPUSH", "q", "a"});
  ask({"LPUSH",
       "q\x06\x16"
       "9",
       "d"});
  ask({"LPUSH",
       "q\x06\x16"
       "3",
       "b", "c"});
  CAF_CHECK_EQUAL(reserve(1, 3), "[0 1 1 a 2 2 b c]");
  CAF_CHECK_EQUAL(keyspace(),
                  with_alive({"q|9: list d",
                              R"(unacked: hash n/i/1=[a, "", "q"])"
                              R"( n/i/2=[b, "", "q"] n/i/3=[c, "", "q"])",
                              "unacked_index: zset n/i/1 n/i/2 n/i/3"}));
}

CAF_TEST(nothing_found_writes_nothing) {
  CAF_CHECK_EQUAL(reserve(1, 64), "[0]");
  CAF_CHECK_EQUAL(keyspace(), strings{});
}

CAF_TEST(a_lease_that_is_there_is_not_prolonged) {
  ask({"SET", "umbel.lease.i", "n", "PX", "30000"});
  ask({"LPUSH", "q", "a"});
  reserve(1, 1); // which would be for 60 s
  CAF_CHECK(std::stoi(ask({"PTTL", "umbel.lease.i"})) <= 30'000);
}

CAF_TEST(a_large_batch_is_recorded_whole_and_leaves_no_other_member) {
  strings push{"LPUSH", "q"};
  for (int i = 0; i < 2500; ++i)
    push.push_back("m" + std::to_string(i));
  ask(push);
  reserve(1, 2400);
  CAF_CHECK_EQUAL(ask({"LLEN", "q"}), "100");
  CAF_CHECK_EQUAL(ask({"HLEN", "unacked"}), "2400");
  CAF_CHECK_EQUAL(ask({"ZCARD", "unacked_index"}), "2400");
  CAF_CHECK_EQUAL(ask({"HGET", "unacked", "n/i/2400"}), R"([m2399, "", "q"])");
  CAF_CHECK_EQUAL(ask({"ZRANGEBYLEX", "unacked_index", "-", "(n"}), "[]");
}

CAF_TEST(what_a_predecessor_reserved_is_delivered_and_its_numbers_are_used) {
  ask({"LPUSH", "q", "a", "b", "c", "d"});
  reserve(5, 2); // nobody read this reply
  CAF_CHECK_EQUAL(reserve(5, 3, true),
                  R"([4 0 [a, "", "q"] 1 [b, "", "q"] 1 1 c])");
  CAF_CHECK_EQUAL(
      keyspace(),
      with_alive({"q: list d",
                  R"(unacked: hash n/i/5=[a, "", "q"] n/i/6=[b, "", "q"])"
                  R"( n/i/7=[c, "", "q"])",
                  "unacked_index: zset n/i/5 n/i/6 n/i/7"}));
}

CAF_TEST(a_predecessor_that_left_more_than_one_wants_leaves_the_queue_alone) {
  strings push{"LPUSH", "q"};
  for (int i = 0; i < 101; ++i)
    push.push_back(std::to_string(i));
  ask(push);
  reserve(1, 100);
  auto x = connect(options());
  strings got;
  for (int i = 0; i < 11; ++i)
    for (auto& y : x->reserve(10).value())
      got.push_back(y.tag.str() + '=' + y.payload);
  CAF_REQUIRE_EQUAL(got.size(), 101u);
  CAF_CHECK_EQUAL(got.front(), "n/i/1=0");
  CAF_CHECK_EQUAL(got[99], "n/i/100=99");
  CAF_CHECK_EQUAL(got[100], "n/i/101=100");
}

CAF_TEST(a_key_that_is_no_list_does_not_stop_the_others) {
  ask({"SET",
       "q\x06\x16"
       "3",
       "no list"});
  ask({"LPUSH", "q", "a"});
  ask({"LPUSH",
       "q\x06\x16"
       "9",
       "b"});
  CAF_CHECK_EQUAL(reserve(1, 9), "[0 1 1 a 4 1 b]");
  CAF_CHECK(reserve(3, 9).starts_with("WRONGTYPE"));
  CAF_CHECK_EQUAL(ask({"HLEN", "unacked"}), "2");
}

CAF_TEST(a_broken_ledger_takes_nothing_from_the_queues) {
  for (std::string key : {"unacked", "unacked_index"}) {
    ask({"FLUSHALL"});
    ask({"SET", key, "broken"});
    ask({"LPUSH", "q", "a", "b", "c"});
    ask({"LPUSH",
         "q\x06\x16"
         "3",
         "d", "e"});
    CAF_CHECK(reserve(1, 4).starts_with("WRONGTYPE"));
    CAF_CHECK_EQUAL(keyspace(), with_alive({key + ": string broken",
                                            "q: list c b a", "q|3: list e d"}));
  }
}

CAF_TEST(a_full_server_still_delivers) {
  ask({"LPUSH", "q", "a", "b"});
  ask({"CONFIG", "SET", "maxmemory", "1"});
  auto reply = reserve(1, 2);
  ask({"CONFIG", "SET", "maxmemory", "0"});
  CAF_CHECK_EQUAL(reply, "[0 1 2 a b]");
  CAF_CHECK_EQUAL(keyspace(), with_alive({R"(unacked: hash n/i/1=[a, "", "q"])"
                                          R"( n/i/2=[b, "", "q"])",
                                          "unacked_index: zset n/i/1 n/i/2"}));
}

CAF_TEST(every_key_carries_the_global_prefix) {
  auto opts = options();
  opts.global_keyprefix = "app:";
  opts.results.global_keyprefix = "res";
  auto x = connect(opts);
  const std::vector<queue_name> queues{queue_name{"q"}};
  x->declare(queues).value();
  x->renew({}).value();
  std::vector<outgoing_message> batch{{queues[0], 9, "m"}, {queues[0], 0, "n"}};
  x->publish(batch).value();
  auto got = x->reserve(1).value();
  CAF_REQUIRE_EQUAL(got.size(), 1u);
  settlement s;
  s.tag = got[0].tag;
  s.queue = got[0].queue;
  s.how = disposition::none;
  s.result = result_record{task_id{"t"}, "{}"};
  s.publish = batch;
  s.dead = dead_letter{"why", "m"};
  x->settle({&s, 1}).value();
  strings names;
  for (auto& line : keyspace())
    names.push_back(line.substr(0, line.find(": ")));
  CAF_CHECK_EQUAL(
      names,
      (strings{"app:_kombu.binding.q", "app:q", "app:q|9", "app:umbel.dead.q",
               "app:umbel.incarnations", "app:umbel.lease.i",
               "app:umbel.settled.n/i/1", "app:unacked", "app:unacked_index",
               "res_celery-task-meta-t"}));
}

CAF_TEST_FIXTURE_SCOPE_END()
