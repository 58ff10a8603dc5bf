// renew.lua, stale.lua, restore.lua, dead_owners.lua, end_fanout.lua, and the
// recovery that is made of them.
#define CAF_SUITE redis_recovery

#include "tests/unit/dsl.hpp"

#include "protocol/broker/redis/dead_letters.hpp"
#include "tests/unit/broker/redis_fixture.hpp"

using namespace umbel;
using namespace umbel::test;

namespace {

const std::string far_future = "99999999999";

struct fixture : redis_fixture {
  void entry(const std::string& tag, const std::string& text,
             const std::string& score) {
    ask({"HSET", "unacked", tag, text});
    ask({"ZADD", "unacked_index", score, tag});
  }

  std::string restore(strings args) {
    args.insert(args.begin() + 2, {"umbel.dead.", "10"});
    return run(redis::scripts::restore, {"unacked", "unacked_index"}, args);
  }

  std::string stale(const std::string& seconds, const std::string& limit) {
    auto reply = run(redis::scripts::stale,
                     {"unacked", "unacked_index", "umbel.delayed"},
                     {seconds, limit});
    return '[' + reply.substr(reply.find_first_of(" ]")); // without the cutoff
  }

  dead_letter parked(const std::string& queue) {
    return redis::parse_dead_letter(
        ask({"LINDEX", "umbel.dead." + queue, "0"}));
  }
};

std::string envelope(const std::string& id, int priority = 0) {
  return R"({"body": "", "headers": {"id": ")" + id
         + R"("}, "properties": {"priority": )" + std::to_string(priority)
         + R"(, "delivery_info": {}}})";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(redis_recovery_tests, fixture)

// -- renew.lua ----------------------------------------------------------------

CAF_TEST(renewing_sets_lease_and_times_and_puts_no_tag_back) {
  entry("a", "1", "5");
  entry("b", "2", "5");
  auto reply = run(redis::scripts::renew,
                   {"umbel.lease.i", "umbel.incarnations", "unacked_index"},
                   {"i", "n", "60000", "a", "gone"});
  CAF_CHECK_EQUAL(reply, "2"); // the first time
  CAF_CHECK_EQUAL(keyspace(), (strings{"umbel.incarnations: hash i=n",
                                       "umbel.lease.i: string n (expires)",
                                       "unacked: hash a=1 b=2",
                                       "unacked_index: zset a b"}));
  CAF_CHECK(std::stod(ask({"ZSCORE", "unacked_index", "a"})) > 1e9);
  CAF_CHECK_EQUAL(ask({"ZSCORE", "unacked_index", "b"}), "5");
}

CAF_TEST(a_renewal_finds_what_became_of_the_lease) {
  auto x = connect(options());
  auto state = [&] {
    x->renew({}).value();
    return static_cast<int>(x->lease());
  };
  CAF_CHECK_EQUAL(state(), static_cast<int>(lease_state::lost));
  CAF_CHECK_EQUAL(state(), static_cast<int>(lease_state::held));
  auto lease = "umbel.lease." + options().incarnation;
  ask({"DEL", lease});
  CAF_CHECK_EQUAL(state(), static_cast<int>(lease_state::lapsed));
  CAF_CHECK_EQUAL(state(), static_cast<int>(lease_state::held));
  ask({"DEL", lease});
  ask({"HDEL", "umbel.incarnations", options().incarnation});
  CAF_CHECK_EQUAL(state(), static_cast<int>(lease_state::lost));
}

CAF_TEST(a_full_server_still_renews) {
  entry("a", "1", "5");
  auto x = connect(options());
  x->renew({}).value();
  ask({"CONFIG", "SET", "maxmemory", "1"});
  const std::vector<delivery_tag> tags{delivery_tag{"a"}};
  auto done = x->renew(tags);
  ask({"CONFIG", "SET", "maxmemory", "0"});
  CAF_CHECK(done.has_value());
  CAF_CHECK(std::stod(ask({"ZSCORE", "unacked_index", "a"})) > 1e9);
}

CAF_TEST(any_number_of_tags_can_be_renewed) {
  std::vector<delivery_tag> tags;
  for (int i = 0; i < 1501; ++i) {
    tags.emplace_back("t" + std::to_string(i));
    entry(tags.back().str(), "x", "5");
  }
  connect(options())->renew(tags).value();
  CAF_CHECK_EQUAL(ask({"ZCOUNT", "unacked_index", "5", "5"}), "0");
}

// -- stale.lua ----------------------------------------------------------------

CAF_TEST(stale_entries_are_shown_newest_first_and_orphans_removed) {
  entry("a", "1", "5");
  entry("b", "2", "6");
  entry("c", "3", far_future);
  ask({"ZADD", "unacked_index", "7", "orphan"});
  CAF_CHECK_EQUAL(stale("60", "2"), "[ b 2]");
  CAF_CHECK_EQUAL(stale("60", "100"), "[ b 2 a 1]");
  CAF_CHECK_EQUAL(keyspace(), (strings{"unacked: hash a=1 b=2 c=3",
                                       "unacked_index: zset a b c"}));
}

CAF_TEST(a_delayed_entry_is_no_stale_one_even_if_its_index_was_lost) {
  entry("umbel.delayed/0/n/i/1", "1", "5");
  entry("umbel.delayed/0/n/i/2", "2", "5");
  entry("a", "3", "5");
  ask({"ZADD", "umbel.delayed", "7", "umbel.delayed/0/n/i/2"});
  CAF_CHECK_EQUAL(stale("60", "100"), "[ a 3]");
  CAF_CHECK_EQUAL(ask({"ZRANGE", "umbel.delayed", "0", "-1", "WITHSCORES"}),
                  "[umbel.delayed/0/n/i/1 0 umbel.delayed/0/n/i/2 7]");
}

CAF_TEST(a_full_server_still_shows_what_is_stale) {
  entry("umbel.delayed/0/n/i/1", "1", "5");
  entry("a", "3", "5");
  ask({"CONFIG", "SET", "maxmemory", "1"});
  auto shown = stale("60", "100");
  ask({"CONFIG", "SET", "maxmemory", "0"});
  CAF_CHECK_EQUAL(shown, "[ a 3]");
}

// -- restore.lua --------------------------------------------------------------

CAF_TEST(only_entries_that_are_still_stale_are_restored) {
  entry("old", "1", "5");
  entry("renewed", "2", "50");
  CAF_CHECK_EQUAL(restore({"stale", "10", "old", "B", "q", "m1", "renewed", "B",
                           "q", "m2", "gone", "B", "q", "m3"}),
                  "1");
  CAF_CHECK_EQUAL(keyspace(), (strings{"q: list m1", "unacked: hash renewed=2",
                                       "unacked_index: zset renewed"}));
}

CAF_TEST(entries_of_an_owner_with_a_lease_are_left_alone) {
  entry("n/i/1", "1", "5");
  ask({"SET", "umbel.lease.i", "n"});
  strings work{"dead", "umbel.lease.i", "n/i/1", "B", "q", "m"};
  CAF_CHECK_EQUAL(restore(work), "0");
  CAF_CHECK_EQUAL(ask({"EXISTS", "q"}), "0");
  ask({"DEL", "umbel.lease.i"});
  CAF_CHECK_EQUAL(restore(work), "1");
  CAF_CHECK_EQUAL(restore(work), "0");
  CAF_CHECK_EQUAL(keyspace(), (strings{"q: list m"}));
}

CAF_TEST(an_entry_may_go_to_several_lists_or_to_the_dead_letters) {
  entry("a", "1", "5");
  entry("b", "2", "5");
  CAF_CHECK_EQUAL(restore({"stale", "10", "a", "BB", "q", "m1", "r", "m1", "b",
                           "D", "umbel.dead.x", "m2"}),
                  "2");
  CAF_CHECK_EQUAL(keyspace(), (strings{"q: list m1", "r: list m1",
                                       "umbel.dead.x: list m2"}));
}

// -- dead_owners.lua ----------------------------------------------------------

CAF_TEST(owners_without_a_lease_are_found_and_forgotten_on_demand) {
  ask({"HSET", "umbel.incarnations", "i1", "n1", "i2", "n2", "i3", "n3"});
  ask({"SET", "umbel.lease.i2", "n2"});
  auto dead = [&](strings forget) {
    forget.insert(forget.begin(), "umbel.lease.");
    return run(redis::scripts::dead_owners, {"umbel.incarnations"}, forget);
  };
  CAF_CHECK_EQUAL(dead({}), "[i1 n1 i3 n3]");
  CAF_CHECK_EQUAL(dead({"i1", "i2"}), "[i3 n3]");
  CAF_CHECK_EQUAL(keyspace(), (strings{"umbel.incarnations: hash i2=n2 i3=n3",
                                       "umbel.lease.i2: string n2"}));
}

// -- recover ------------------------------------------------------------------

CAF_TEST(entries_of_python_peers_go_where_their_exchange_leads) {
  ask({"SADD", "_kombu.binding.direct", "red\x06\x16\x06\x16q",
       "blue\x06\x16\x06\x16r"});
  ask({"SADD", "_kombu.binding.topic", "a.*\x06\x16^a\\..*?[^\\.]$\x06\x16q",
       "#\x06\x16^.*?$\x06\x16r", "b\x06\x16^b$\x06\x16s"});
  auto old = [&](const std::string& id, const std::string& exchange,
                 const std::string& key, int priority = 0) {
    entry(id,
          '[' + envelope(id, priority) + R"(, ")" + exchange + R"(", ")" + key
              + R"("])",
          "5");
  };
  old("anonymous", "", "q2", 9);
  old("direct", "direct", "red", 3);
  old("topic", "topic", "a.b");
  auto report = connect(options())->recover().value();
  CAF_CHECK_EQUAL(report.restored, 3u);
  CAF_CHECK(contains(ask({"LINDEX",
                          "q2\x06\x16"
                          "9",
                          "0"}),
                     "anonymous"));
  CAF_CHECK(contains(ask({"LINDEX",
                          "q\x06\x16"
                          "3",
                          "0"}),
                     "direct"));
  CAF_CHECK(contains(ask({"LINDEX", "q", "0"}), "topic"));
  CAF_CHECK(contains(ask({"LINDEX", "r", "0"}), "topic"));
  CAF_CHECK(contains(ask({"LINDEX", "r", "0"}), "redelivered"));
  CAF_CHECK_EQUAL(ask({"EXISTS", "s", "unacked", "unacked_index"}), "0");
}

CAF_TEST(an_entry_that_leads_nowhere_is_parked) {
  entry("a", '[' + envelope("a") + R"(, "lost", "key"])", "5");
  entry("b", "no entry", "5");
  entry("c", '[' + envelope("c") + R"(, "", ""])", "5");
  auto report = connect(options())->recover().value();
  CAF_CHECK_EQUAL(report.restored, 3u);
  CAF_CHECK_EQUAL(parked("key").payload, envelope("a"));
  CAF_CHECK(contains(parked("key").reason, "\"lost\""));
  CAF_CHECK_EQUAL(parked("unacked").payload, "no entry");
  CAF_CHECK_EQUAL(parked("").payload, envelope("c"));
  CAF_CHECK_EQUAL(ask({"EXISTS", "unacked", "unacked_index"}), "0");
}

CAF_TEST(what_a_python_peer_holds_within_the_visibility_timeout_stays) {
  auto opts = options();
  opts.visibility_timeout = std::chrono::hours{1};
  auto time = ask({"TIME"}); // [seconds microseconds]
  auto now = std::stol(time.substr(1));
  entry("young", '[' + envelope("1") + R"(, "", "q"])",
        std::to_string(now - 3000));
  entry("old", '[' + envelope("2") + R"(, "", "q"])",
        std::to_string(now - 4000));
  CAF_CHECK_EQUAL(connect(opts)->recover().value().restored, 1u);
  CAF_CHECK_EQUAL(ask({"HKEYS", "unacked"}), "[young]");
}

CAF_TEST(entries_go_back_in_their_order_however_many) {
  for (int i = 0; i < 250; ++i)
    entry("t" + std::to_string(i),
          '[' + envelope(std::to_string(i)) + R"(, "", "q"])",
          std::to_string(i));
  CAF_CHECK_EQUAL(connect(options())->recover().value().restored, 250u);
  for (int i : {0, 1, 99, 100, 249})
    CAF_CHECK(contains(ask({"LINDEX", "q", std::to_string(-1 - i)}),
                       R"("id": ")" + std::to_string(i) + '"'));
}

CAF_TEST(an_incarnations_name_is_no_pattern) {
  for (auto tag : {"n*/[i]?/1", "nx/i0/1", "n/i/1"})
    entry(tag, '[' + envelope(tag) + R"(, "", "q"])", far_future);
  ask({"HSET", "umbel.incarnations", "[i]?", "n*"});
  auto report = connect(options())->recover().value();
  CAF_CHECK_EQUAL(report.restored, 1u);
  CAF_CHECK_EQUAL(report.dead_owners, (strings{"[i]?"}));
  CAF_CHECK_EQUAL(
      ask({"HMGET", "unacked", "n*/[i]?/1", "nx/i0/1", "n/i/1"}).substr(0, 3),
      "[- "); // it alone
  CAF_CHECK_EQUAL(ask({"HLEN", "unacked"}), "2");
  CAF_CHECK_EQUAL(ask({"EXISTS", "umbel.incarnations"}), "0");
}

CAF_TEST(whoever_walks_a_long_ledger_keeps_its_lease) {
  entry("n/dead/1", '[' + envelope("1") + R"(, "", "q"])", far_future);
  ask({"HSET", "umbel.incarnations", "dead", "n"});
  ask({"SET", "umbel.lease.i", "n", "PX", "60000"});
  auto opts = options();
  opts.lease = std::chrono::hours{1};
  CAF_CHECK_EQUAL(connect(opts)->recover().value().restored, 1u);
  CAF_CHECK(std::stol(ask({"PTTL", "umbel.lease.i"})) > 60'000);
}

// With a million messages that wait, one owner takes a second in which nothing is
// settled.
CAF_TEST(of_many_dead_owners_some_are_left_for_the_next_call) {
  for (auto owner : {"d1", "d2"}) {
    ask({"HSET", "umbel.incarnations", owner, "n"});
    entry("n/" + std::string{owner} + "/1",
          '[' + envelope(owner) + R"(, "", "q"])", far_future);
  }
  auto opts = options();
  opts.lease = std::chrono::milliseconds{1}; // everything takes too long
  auto x = connect(opts);
  for (int i = 0; i < 2; ++i) {
    auto report = x->recover().value();
    CAF_CHECK_EQUAL(report.restored, 1u);
    CAF_CHECK_EQUAL(report.dead_owners.size(), 1u);
  }
  CAF_CHECK_EQUAL(ask({"LLEN", "q"}), "2");
  CAF_CHECK(x->recover().value().dead_owners.empty());
}

CAF_TEST(whoever_recovers_does_not_count_itself_as_dead) {
  auto x = connect(options());
  outgoing_message message{queue_name{"q"}, 0, envelope("1")};
  x->publish({&message, 1}).value();
  CAF_CHECK_EQUAL(x->reserve(1).value().size(), 1u);
  ask({"DEL", "umbel.lease.i"});
  auto report = x->recover().value();
  CAF_CHECK_EQUAL(report.restored, 0u);
  CAF_CHECK(report.dead_owners.empty());
  CAF_CHECK_EQUAL(ask({"HLEN", "unacked"}), "1");
}

// -- end_fanout.lua -----------------------------------------------------------

CAF_TEST(what_was_a_nodes_alone_ends_with_its_last_life) {
  ask({"HSET", "umbel.fanout", "n",
       R"({"members": [["b", "||q"], ["b", "k||q"]], "lists": ["q", "q3"]})"});
  ask({"SADD", "b", "||q", "k||q", "||other"});
  ask({"LPUSH", "q", "m"});
  ask({"HSET", "umbel.incarnations", "i", "n", "j", "n", "k", "m"});
  auto before = keyspace();
  auto end = [&](const std::string& node, const std::string& incarnation) {
    return run(redis::scripts::end_fanout,
               {"umbel.fanout", "umbel.incarnations"}, {node, incarnation});
  };
  CAF_MESSAGE("it has another life, or has left nothing");
  CAF_CHECK_EQUAL(end("n", "i"), "0");
  CAF_CHECK_EQUAL(end("m", "k"), "0");
  CAF_CHECK_EQUAL(keyspace(), before);
  ask({"HDEL", "umbel.incarnations", "j"});
  CAF_CHECK_EQUAL(end("n", "i"), "2");
  CAF_CHECK_EQUAL(keyspace(), (strings{"b: set ||other",
                                       "umbel.incarnations: hash i=n k=m"}));
  CAF_MESSAGE("what is no list of ours harms nobody");
  ask({"HSET", "umbel.fanout", "n", "rubbish"});
  CAF_CHECK_EQUAL(end("n", "i"), "0");
}

CAF_TEST_FIXTURE_SCOPE_END()
