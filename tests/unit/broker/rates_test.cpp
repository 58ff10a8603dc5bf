// Conformance: rate limits that all nodes share; and the account that keeps those
// of one process.
#define CAF_SUITE rates

#include "tests/unit/dsl.hpp"

#include "protocol/broker/rate_table.hpp"
#include "tests/unit/broker/worlds.hpp"

#include <random>
#include <set>

using namespace umbel;
using namespace umbel::test;
using std::chrono::microseconds;

namespace {

std::string complaint(std::string_view text) {
  auto x = parse_rate(text);
  return x ? "" : x.error().what;
}

/// A limit and tasks that ask for their turn, on a clock of their own.
struct line {
  rate limit{1s};
  microseconds hold{5s};
  rate_bucket bucket;
  timestamp now = timestamp{} + 1'000h;

  struct waiting {
    timestamp at;
    int task;

    auto operator<=>(const waiting&) const = default;
  };

  std::set<waiting> away;                          ///< told to ask again
  std::vector<std::pair<timestamp, int>> granted; ///< in the order of asking

  void ask(int task, bool waited = false) {
    auto slot = bucket.take(now, limit, hold, waited);
    CAF_CHECK(slot.at >= now);
    if (slot.taken)
      granted.emplace_back(slot.at, task);
    else
      away.insert({slot.at, task});
  }

  /// Lets time pass; whoever was told to asks again, `late` after that.
  void pass(microseconds duration, microseconds late = 0us) {
    auto end = now + duration;
    while (!away.empty() && away.begin()->at + late <= end) {
      auto next = *away.begin();
      away.erase(away.begin());
      now = std::max(now, next.at + late);
      ask(next.task, true);
    }
    now = end;
  }

  bool in_order() const {
    for (size_t i = 1; i < granted.size(); ++i)
      if (granted[i].second < granted[i - 1].second)
        return false;
    return true;
  }

  /// Whether no two turns are closer than the limit allows.
  bool kept() const {
    for (size_t i = 1; i < granted.size(); ++i)
      if (granted[i].first - granted[i - 1].first < limit.interval)
        return false;
    return true;
  }
};

turn ask(broker& x, const std::string& limit, std::chrono::milliseconds interval,
         std::chrono::milliseconds hold, bool waited = false) {
  turn_request request{limit, rate{interval}, hold, waited};
  return x.take_turns({&request, 1}).value().at(0);
}

} // namespace

// -- rates --------------------------------------------------------------------

CAF_TEST(rates_are_read_as_celery_reads_them) {
  CAF_CHECK(parse_rate("10/s")->interval == 100ms);
  CAF_CHECK(parse_rate("100/m")->interval == 600ms);
  CAF_CHECK(parse_rate("1000/h")->interval == 3'600ms);
  CAF_CHECK(parse_rate("5")->interval == 200ms);
  CAF_CHECK(parse_rate("0.5/s")->interval == 2s);
  CAF_CHECK(parse_rate("1e3")->interval == 1ms);
  for (auto text : {"", "0", "0/m", "0.0/h"})
    CAF_CHECK(!parse_rate(text)->limits());
}

CAF_TEST(rates_are_written_as_they_are_read) {
  for (auto text : {"10/s", "100/m", "0.5/h", "1000/s", "59/h", "0"})
    CAF_CHECK_EQUAL(to_string(*parse_rate(text)), text);
  CAF_CHECK_EQUAL(to_string(*parse_rate("60/h")), "1/m");
}

CAF_TEST(what_is_no_rate_is_named) {
  CAF_CHECK_EQUAL(complaint("10/d"),
                  "'10/d' is no rate such as 10/s, 100/m or 1000/h");
  for (auto text : {"/s", "10/", "10/s/s", "10 /s", "-1/s", "x", "inf", "nan/s",
                    "1e9", "1e-9/h", "s", "10/S", "0x10/s"})
    CAF_CHECK_NOT_EQUAL(complaint(text), "");
}

// -- the account of a process -------------------------------------------------

CAF_TEST(turns_come_one_interval_after_another) {
  line x;
  for (int i = 0; i < 4; ++i)
    x.ask(i);
  CAF_REQUIRE_EQUAL(x.granted.size(), 4u);
  for (int i = 0; i < 4; ++i)
    CAF_CHECK(x.granted[i].first == x.now + i * 1s);
  x.pass(1h); // no credit for idle times: there are no bursts
  auto before = x.granted.size();
  x.ask(4);
  x.ask(5);
  CAF_CHECK(x.granted[before].first == x.now);
  CAF_CHECK(x.granted[before + 1].first == x.now + 1s);
}

CAF_TEST(a_long_line_is_called_in_its_order_at_the_pace_of_the_limit) {
  line x;
  for (int i = 0; i < 1'000; ++i)
    x.ask(i);
  CAF_CHECK_EQUAL(x.granted.size(), 6u);
  x.pass(500s);
  CAF_CHECK_EQUAL(x.granted.size(), 501u); // the last at 500 s
  x.pass(500s);
  CAF_CHECK_EQUAL(x.granted.size(), 1'000u);
  CAF_CHECK(x.in_order());
  CAF_CHECK(x.kept());
  CAF_CHECK(x.bucket.idle(x.now));
}

CAF_TEST(newcomers_join_the_end_of_the_line) {
  line x;
  int last = 0;
  while (last < 100)
    x.ask(last++);
  for (int i = 0; i < 60; ++i) { // as many come as go
    x.pass(1s);
    x.ask(last++);
  }
  x.pass(1h);
  CAF_CHECK_EQUAL(x.granted.size(), 160u);
  CAF_CHECK(x.in_order());
  CAF_CHECK(x.kept());
}

CAF_TEST(the_limit_is_kept_whoever_comes_when) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random{seed};
    line x;
    x.limit.interval = microseconds{1 + random() % 2'000'000};
    int last = 0;
    for (int i = 0; i < 300; ++i) {
      x.pass(microseconds{random() % 3'000'000},
             microseconds{random() % 500'000});
      x.hold = microseconds{random() % 6'000'000};
      for (auto n = random() % 4; n > 0; --n)
        x.ask(last++);
    }
    x.hold = 5s;
    x.pass(100h); // all come to their turn in the end
    if (!x.kept() || x.granted.size() != static_cast<size_t>(last))
      CAF_ERROR("seed " << seed);
    CAF_CHECK(x.away.empty());
  }
}

CAF_TEST(accounts_that_say_nothing_are_forgotten) {
  rate_table x;
  auto now = timestamp{} + 1'000h;
  for (int i = 0; i < 100'000; ++i)
    x.take(std::to_string(i), now += 10ms, rate{1s}, 5s, false);
  CAF_CHECK(x.size() < 3'000);
}

// -- shared limits ------------------------------------------------------------

UMBEL_SCENARIO(all_nodes_share_a_limit) {
  auto a = w.connect("a@h");
  auto b = w.connect("b@h");
  CAF_CHECK(a->take_turns({}).value().empty());
  auto x = ask(*a, "t", 1h, 10h);
  CAF_CHECK(x.granted && x.wait == 0us);
  x = ask(*b, "t", 1h, 10h);
  CAF_CHECK(x.granted && x.wait > 59min && x.wait <= 1h);
  x = ask(*b, "u", 1h, 10h);
  CAF_CHECK(x.granted && x.wait == 0us);
  x = ask(*a, "t", 1h, 1min);
  CAF_CHECK(!x.granted && x.wait > 119min && x.wait <= 2h);
  x = ask(*b, "t", 1h, 3h); // joins the line
  CAF_CHECK(!x.granted && x.wait > 179min && x.wait <= 3h);
  x = ask(*a, "t", 1h, 3h, true); // has been in it
  CAF_CHECK(x.granted && x.wait > 119min && x.wait <= 2h);
}

UMBEL_SCENARIO(a_batch_may_ask_for_one_limit_many_times) {
  auto x = w.connect("a@h");
  std::vector<turn_request> batch(3, {"t", rate{1h}, 90min, false});
  batch[1].limit = "u \xc3\xbc:\x06\x16";
  auto turns = x->take_turns(batch).value();
  CAF_REQUIRE_EQUAL(turns.size(), 3u);
  CAF_CHECK(turns[0].granted && turns[0].wait == 0us);
  CAF_CHECK(turns[1].granted && turns[1].wait == 0us);
  CAF_CHECK(turns[2].granted && turns[2].wait > 59min);
}

UMBEL_SCENARIO(a_shared_limit_lets_one_through_in_each_interval) {
  auto x = w.connect("a@h");
  auto begin = w.now();
  auto interval = w.lease() / 5;
  int granted = 0;
  CAF_CHECK(w.eventually([&] {
    if (ask(*x, "t", interval, 0ms, true).granted)
      ++granted;
    auto passed = w.now() - begin + 2ms; // two clocks, of different resolution
    CAF_CHECK(granted <= 1 + passed / interval);
    return granted >= 5;
  }));
}

UMBEL_SCENARIO(a_delayed_message_may_come_back_in_another_form) {
  auto x = w.connect("a@h");
  publish(*x, {"1"});
  auto s = settled(reserve(*x).at(0), disposition::delay);
  s.due = timestamp{w.now() - 1s};
  s.payload = message("another \"1\"");
  CAF_CHECK(settle(*x, s));
  CAF_CHECK_EQUAL(w.unacknowledged(), 1u);
  CAF_CHECK(w.eventually([&] { return x->forward().value().forwarded == 1; }));
  auto ys = reserve(*x);
  CAF_CHECK_EQUAL(ys.at(0).payload, *s.payload);
}
