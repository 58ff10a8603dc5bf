// Delayed messages on Redis: settle.lua's step Z and forward.lua, with the whole
// keyspace before and after, and what Python peers see.
#define CAF_SUITE redis_delay

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/redis_fixture.hpp"

#include <thread>

using namespace umbel;
using namespace umbel::test;
using namespace std::chrono_literals;

namespace {

const std::string far_future = "99999999999.000000";

struct fixture : redis_fixture {
  void entry(const std::string& tag, const std::string& text) {
    ask({"HSET", "unacked", tag, text});
    ask({"ZADD", "unacked_index", "1", tag});
  }

  // An entry that waits until `due`.
  void waiting(const std::string& tag, const std::string& text,
               const std::string& due) {
    entry(tag, text);
    ask({"ZADD", "umbel.delayed", due, tag});
  }

  std::string delay(const std::string& tag, const std::string& step,
                    const std::string& due, const std::string& callers_time) {
    return run(redis::scripts::settle,
               {"unacked", "unacked_index", "umbel.delayed"},
               {"60", "umbel.settled.", "umbel.dead.", "2", "3600",
                callers_time, "1", tag, "fZ", step, due});
  }

  /// @param longest between two looks
  /// @param claim how long a node is believed to be there, both in milliseconds
  std::string forward(const std::string& node, const std::string& max = "100",
                      const std::string& longest = "3000",
                      const std::string& claim = "2000") {
    return run(redis::scripts::forward,
               {"unacked", "unacked_index", "umbel.delayed", "umbel.forwarder"},
               {node, max, longest, claim, "", "\x06\x16", "umbel.dead.", "2"});
  }

  double time() {
    auto text = ask({"TIME"}); // [seconds microseconds]
    auto space = text.find(' ');
    return std::stod(text.substr(1)) + std::stod(text.substr(space)) / 1e6;
  }

  double score(const std::string& key, const std::string& tag) {
    return std::stod(ask({"ZSCORE", key, tag}));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(redis_delay_tests, fixture)

// -- settle.lua ---------------------------------------------------------------

CAF_TEST(a_delayed_entry_is_kept_as_it_is_under_a_tag_that_is_nobodys) {
  entry("n/i/1", "entry");
  CAF_CHECK_EQUAL(delay("n/i/1", "3", far_future, "0"), "1");
  CAF_CHECK_EQUAL(
      keyspace(),
      (strings{"umbel.delayed: zset umbel.delayed/3/n/i/1",
               "unacked: hash umbel.delayed/3/n/i/1=entry",
               "unacked_index: zset umbel.delayed/3/n/i/1"}));
  CAF_CHECK_EQUAL(score("umbel.delayed", "umbel.delayed/3/n/i/1"), 99999999999);
  // So that Python peers find it past their visibility timeout when it is due.
  CAF_CHECK_EQUAL(score("unacked_index", "umbel.delayed/3/n/i/1"),
                  99999999999 - 3600);
}

CAF_TEST(a_tag_that_is_gone_delays_nothing) {
  CAF_CHECK_EQUAL(delay("n/i/1", "0", far_future, "0"), "0");
  CAF_CHECK_EQUAL(keyspace(), strings{});
}

// A node whose clock is an hour behind takes for early what the server has just
// found due: it must not get it back at once, for ever.
CAF_TEST(a_caller_whose_clock_is_behind_waits_a_second) {
  entry("n/i/1", "entry");
  auto now = time();
  auto due = std::to_string(now - 1);
  CAF_CHECK_EQUAL(delay("n/i/1", "0", due, std::to_string(now - 3600)), "1");
  auto when = score("umbel.delayed", "umbel.delayed/0/n/i/1");
  CAF_CHECK(when >= now + 0.99 && when < now + 60);
  entry("n/i/2", "entry");
  CAF_CHECK_EQUAL(delay("n/i/2", "0", due, std::to_string(now + 5)), "1");
  when = score("umbel.delayed", "umbel.delayed/0/n/i/2");
  CAF_CHECK(when >= now - 1.01 && when < now + 60);
}

// -- forward.lua --------------------------------------------------------------

CAF_TEST(a_due_entry_goes_to_the_list_that_its_tag_and_its_end_name) {
  waiting("umbel.delayed/0/n/i/1", R"([{"m": ", \"\", x"}, "", "q"])", "1");
  waiting("umbel.delayed/6/n/i/2", R"([m2, "", "q/\u00fc \"r\""])", "2");
  waiting("umbel.delayed/0/n/i/3", R"([m3, "", "q"])", far_future);
  CAF_CHECK_EQUAL(forward("n"), "[2 3000]");
  CAF_CHECK_EQUAL(keyspace(),
                  (strings{"q/\xc3\xbc \"r\"|6: list m2",
                           R"(q: list {"m": ", \"\", x"})",
                           "umbel.delayed: zset umbel.delayed/0/n/i/3",
                           "unacked: hash umbel.delayed/0/n/i/3=[m3, \"\", "
                           "\"q\"]",
                           "unacked_index: zset umbel.delayed/0/n/i/3"}));
}

CAF_TEST(as_many_as_wanted_go_the_earliest_first) {
  for (auto i : {"1", "2", "3"})
    waiting("umbel.delayed/0/n/i/" + std::string{i},
            '[' + std::string{i} + R"(, "", "q"])", i);
  CAF_CHECK_EQUAL(forward("n", "2"), "[2 0]");
  CAF_CHECK_EQUAL(ask({"LRANGE", "q", "0", "-1"}), "[2 1]"); // popped right
  CAF_CHECK_EQUAL(forward("n", "2"), "[1 3000]");
  CAF_CHECK_EQUAL(ask({"EXISTS", "unacked", "unacked_index", "umbel.delayed"}),
                  "0");
}

CAF_TEST(what_a_python_peer_has_restored_is_forgotten) {
  ask({"ZADD", "umbel.delayed", "1", "umbel.delayed/0/n/i/1"});
  CAF_CHECK_EQUAL(forward("n"), "[0 3000]");
  CAF_CHECK_EQUAL(keyspace(), strings{});
}

CAF_TEST(an_entry_that_leads_nowhere_is_parked) {
  waiting("umbel.delayed/0/n/i/1", "no entry", "1");
  waiting("odd", R"([m, "", "q"])", "2");
  ask({"SET", "r", "no list"});
  waiting("umbel.delayed/0/n/i/2", R"([m, "", "r"])", "1");
  waiting("umbel.delayed/0/n/i/3", R"([m, "", "\uD8"])", "3");
  CAF_CHECK_EQUAL(forward("n"), "[4 3000]");
  CAF_CHECK_EQUAL(ask({"LRANGE", "umbel.dead.unacked", "0", "-1"}),
                  R"([no entry [m, "", "q"]])"); // newest first, at most two
  CAF_CHECK_EQUAL(ask({"LLEN", "umbel.dead.r"}), "1");
  CAF_CHECK_EQUAL(ask({"EXISTS", "unacked"}), "0");
}

CAF_TEST(a_full_server_still_gives_back) {
  waiting("umbel.delayed/0/n/i/1", R"([m, "", "q"])", "1");
  ask({"CONFIG", "SET", "maxmemory", "1"});
  auto reply = forward("n");
  ask({"CONFIG", "SET", "maxmemory", "0"});
  CAF_CHECK_EQUAL(reply, "[1 3000]");
  CAF_CHECK_EQUAL(ask({"LRANGE", "q", "0", "-1"}), "[m]");
}

CAF_TEST(one_node_comes_when_the_next_is_due_and_the_others_when_it_does_not) {
  // In minutes: seconds may pass between two lines.
  auto look = [this](const char* node) {
    return forward(node, "100", "180000", "120000");
  };
  auto due = time() + 150;
  waiting("umbel.delayed/0/n/i/1", R"([m, "", "q"])", std::to_string(due));
  CAF_CHECK_EQUAL(look("a"), "[0 60000]"); // half its claim
  auto other = look("b");
  auto wait = std::stoi(other.substr(3));
  CAF_CHECK(wait > 60'000 && wait <= 120'001); // until the claim is void
  CAF_CHECK_EQUAL(look("a"), "[0 60000]");
  CAF_CHECK_EQUAL(ask({"GET", "umbel.forwarder"}), "a");
  ask({"DEL", "umbel.forwarder"}); // as when "a" has died
  CAF_CHECK_EQUAL(look("b"), "[0 60000]");
  CAF_CHECK_EQUAL(ask({"GET", "umbel.forwarder"}), "b");
}

CAF_TEST(nobody_claims_what_is_far_off) {
  waiting("umbel.delayed/0/n/i/1", R"([m, "", "q"])", far_future);
  CAF_CHECK_EQUAL(forward("a"), "[0 3000]");
  CAF_CHECK_EQUAL(ask({"EXISTS", "umbel.forwarder"}), "0");
}

// -- rate.lua -----------------------------------------------------------------

CAF_TEST(a_limit_is_one_key_that_expires_when_it_says_nothing_more) {
  auto ask = [&](const strings& args) {
    return run(redis::scripts::rate, {"umbel.rate.t"}, args);
  };
  CAF_CHECK_EQUAL(ask({"60000000", "5000000", "0"}), "[0 1]");
  auto ttl = std::stoi(redis_fixture::ask({"PTTL", "umbel.rate.t"}));
  CAF_CHECK(ttl > 50'000 && ttl <= 60'001);
  auto second = ask({"60000000", "5000000", "0"});
  CAF_CHECK(second.ends_with(" 0]"));
  ttl = std::stoi(redis_fixture::ask({"PTTL", "umbel.rate.t"}));
  CAF_CHECK(ttl > 110'000 && ttl <= 120'001); // the line's end
  redis_fixture::ask({"SET", "umbel.rate.t", "rubbish"});
  CAF_CHECK_EQUAL(ask({"60000000", "5000000", "0"}), "[0 1]");
}

CAF_TEST(a_full_server_lets_nobody_begin) {
  ask({"CONFIG", "SET", "maxmemory", "1"});
  auto reply = run(redis::scripts::rate, {"umbel.rate.t"}, {"100", "0", "0"});
  ask({"CONFIG", "SET", "maxmemory", "0"});
  CAF_CHECK_EQUAL(reply, "[1000000 0]");
}

// -- together -----------------------------------------------------------------

CAF_TEST(all_keys_carry_the_prefix) {
  auto opts = options();
  opts.global_keyprefix = "app.";
  auto x = connect(opts);
  outgoing_message message{queue_name{"q"}, 9, "no envelope"};
  x->publish({&message, 1}).value();
  settlement s;
  s.tag = x->reserve(1).value().at(0).tag;
  s.queue = queue_name{"q"};
  s.how = disposition::delay;
  s.due = now() - 1s;
  s.priority = 9;
  x->settle({&s, 1}).value();
  CAF_CHECK_EQUAL(x->forward().value().forwarded, 1u);
  CAF_CHECK_EQUAL(ask({"LRANGE", "app.q\x06\x16" "9", "0", "-1"}),
                  "[no envelope]");
}

CAF_TEST_FIXTURE_SCOPE_END()
