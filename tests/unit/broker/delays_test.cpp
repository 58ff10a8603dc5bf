// Conformance: a message that is due later waits in the broker, and is put back
// on its queue when it is due, once, whatever happens to whom.
#define CAF_SUITE delays

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/worlds.hpp"

#include <algorithm>
#include <thread>

using namespace umbel;
using namespace umbel::test;

using strings = std::vector<std::string>;

namespace {

settlement delayed(const delivery& x, std::chrono::milliseconds due,
                   int priority = 0) {
  auto result = settled(x, disposition::delay);
  result.due = timestamp{due};
  result.priority = priority;
  return result;
}

/// Delays a message of this id from now on for a time.
settlement delay_one(world& w, broker& x, const std::string& id,
                     std::chrono::milliseconds how_long) {
  publish(x, {id});
  auto result = delayed(reserve(x, 1).at(0), w.now() + how_long);
  CAF_CHECK(settle(x, result));
  return result;
}

size_t forwarded(broker& x) {
  return x.forward().value().forwarded;
}

} // namespace

UMBEL_SCENARIO(nothing_delayed_is_nothing_to_do) {
  auto report = w.connect("a@h")->forward().value();
  CAF_CHECK_EQUAL(report.forwarded, 0u);
  CAF_CHECK(report.next == broker::look_interval);
}

UMBEL_SCENARIO(a_delayed_message_comes_back_when_it_is_due_and_not_before) {
  auto x = w.connect("a@h");
  auto s = delay_one(w, *x, "1", w.lease());
  CAF_CHECK_EQUAL(w.unacknowledged(), 1u);
  CAF_CHECK_EQUAL(x->owned({&s.tag, 1}).value(), std::vector<bool>{false});
  CAF_CHECK(reserve(*x).empty());
  size_t count = 0;
  auto came = w.now();
  CAF_CHECK(w.eventually([&] {
    count = forwarded(*x);
    // Looked at afterwards: until the broker looks at its own clock, any time
    // may pass.
    came = w.now();
    return count > 0;
  }));
  // The two clocks may differ by their resolution.
  CAF_CHECK(timestamp{came + 2ms} >= s.due);
  CAF_CHECK_EQUAL(count, 1u);
  CAF_CHECK_EQUAL(forwarded(*x), 0u);
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
  auto ys = reserve(*x);
  CAF_CHECK_EQUAL(ids_of(ys), strings{"1"});
  CAF_CHECK(!is_redelivered(ys.at(0).payload));
  CAF_CHECK_EQUAL(ys[0].payload, message("1"));
}

UMBEL_SCENARIO(the_report_says_when_the_next_one_is_due) {
  auto x = w.connect("a@h");
  delay_one(w, *x, "tomorrow", 24h);
  CAF_CHECK(x->forward().value().next == broker::look_interval);
  for (auto delay : {1'000ms, 500ms})
    for (auto due = true; due;) { // if this process was stopped until then: once more
      auto before = w.now();
      delay_one(w, *x, "soon", delay);
      auto next = x->forward().value().next;
      due = w.now() - before >= delay;
      CAF_CHECK(due || (next > 0ms && next <= delay));
    }
}

UMBEL_SCENARIO(due_messages_are_consumed_first_in_the_order_of_their_due_times) {
  auto x = w.connect("a@h");
  auto now = w.now();
  publish(*x, {"3", "1", "2", "later"});
  std::vector<settlement> batch;
  auto ys = reserve(*x);
  for (size_t i = 0; i < 3; ++i)
    batch.push_back(
        delayed(ys.at(i), now - 10ms + std::stoi(id_of(ys[i].payload)) * 1ms));
  batch.push_back(delayed(ys.at(3), now + 1h));
  CAF_CHECK_EQUAL(x->settle(batch).value(), std::vector<bool>(4, true));
  publish(*x, {"plain"});
  CAF_CHECK(w.eventually([&] { return forwarded(*x) == 3; }));
  CAF_CHECK_EQUAL(drain(w, "q"), (strings{"1", "2", "3", "plain"}));
  CAF_CHECK_EQUAL(w.unacknowledged(), 1u);
}

UMBEL_SCENARIO(a_delayed_message_keeps_priority_queue_and_redelivered_mark) {
  auto options = w.options("a@h", {"q", "other \"queue\" \xc3\xbc\\"});
  auto x = w.connect(options);
  auto strange = options.queues[1].str();
  std::vector<outgoing_message> sent{to("q", "low", 9), to("q", "mid", 4),
                                     to("q", "urgent"), to(strange, "far", 3)};
  x->publish(sent).value();
  std::map<std::string, int> priority;
  for (auto& y : sent)
    priority[id_of(y.payload)] = y.priority;
  auto ys = reserve(*x);
  CAF_CHECK_EQUAL(ys.size(), 4u);
  for (auto& y : ys)
    CAF_CHECK(
        settle(*x, delayed(y, w.now() - 1s, priority[id_of(y.payload)])));
  size_t count = 0;
  CAF_CHECK(w.eventually([&] { return (count += forwarded(*x)) == 4; }));
  CAF_CHECK_EQUAL(drain(w, strange), strings{"far"});
  ys = reserve(*x);
  CAF_CHECK_EQUAL(ids_of(ys), (strings{"urgent", "mid", "low"}));
  CAF_CHECK(settle(*x, settled(ys.at(0), disposition::restore)));
  auto again = reserve(*x).at(0);
  CAF_CHECK(settle(*x, delayed(again, w.now() - 1s)));
  CAF_CHECK(w.eventually([&] { return forwarded(*x) == 1; }));
  CAF_CHECK(is_redelivered(reserve(*x).at(0).payload));
}

UMBEL_SCENARIO(a_delay_is_fenced_and_may_be_sent_twice) {
  auto x = w.connect("a@h");
  auto s = delay_one(w, *x, "1", -1s);
  CAF_CHECK(!settle(*x, s));
  CAF_CHECK_EQUAL(w.unacknowledged(), 1u);
  CAF_CHECK(w.eventually([&] { return forwarded(*x) == 1; }));
  CAF_CHECK(!settle(*x, s));
  CAF_CHECK_EQUAL(drain(w, "q"), strings{"1"});
}

UMBEL_SCENARIO(a_delay_stores_and_publishes_as_any_settlement) {
  auto x = w.connect("a@h");
  publish(*x, {"1"});
  auto s = delayed(reserve(*x).at(0), w.now() + 1h);
  s.result = result_record{task_id{"1"}, R"({"status": "RETRY"})"};
  s.publish = {to("next", "2")};
  CAF_CHECK(settle(*x, s));
  CAF_CHECK_EQUAL(w.results()->fetch(task_id{"1"}).value().value_or(""),
                  s.result->document);
  CAF_CHECK_EQUAL(drain(w, "next"), strings{"2"});
}

UMBEL_SCENARIO(a_delayed_message_outlives_whoever_delayed_it) {
  auto a = w.connect("a@h");
  delay_one(w, *a, "delayed", 24h);
  publish(*a, {"held"});
  CAF_CHECK_EQUAL(reserve(*a).size(), 1u);
  a.reset();
  auto b = w.connect("b@h");
  size_t restored = 0;
  CAF_CHECK(w.eventually([&] {
    b->renew({}).value();
    return (restored += b->recover().value().restored) > 0;
  }));
  CAF_CHECK_EQUAL(restored, 1u);
  CAF_CHECK_EQUAL(drain(w, "q"), strings{"held"});
  CAF_CHECK_EQUAL(w.unacknowledged(), 1u);
}

UMBEL_SCENARIO(a_due_message_is_not_recovered_as_an_abandoned_one) {
  auto x = w.connect("a@h");
  delay_one(w, *x, "1", -1s);
  w.meanwhile(w.lease(), [&] {
    x->renew({}).value();
    CAF_CHECK_EQUAL(x->recover().value().restored, 0u);
  });
  CAF_CHECK_EQUAL(forwarded(*x), 1u);
  CAF_CHECK(!is_redelivered(reserve(*x).at(0).payload));
}

UMBEL_SCENARIO(purging_a_queue_leaves_what_is_not_due) {
  auto x = w.connect("a@h");
  delay_one(w, *x, "1", -1s);
  publish(*x, {"2"});
  CAF_CHECK_EQUAL(x->size(queue_name{"q"}).value(), 1u);
  CAF_CHECK_EQUAL(x->purge(queue_name{"q"}).value(), 1u);
  CAF_CHECK(w.eventually([&] { return forwarded(*x) == 1; }));
  CAF_CHECK_EQUAL(drain(w, "q"), strings{"1"});
}

UMBEL_SCENARIO(a_time_in_the_year_9999_is_far_off) {
  auto x = w.connect("a@h");
  publish(*x, {"1"});
  auto s = settled(reserve(*x).at(0), disposition::delay);
  s.due = parse_time("9999-12-31T23:59:59.999999Z").value();
  CAF_CHECK(settle(*x, s));
  auto report = x->forward().value();
  CAF_CHECK_EQUAL(report.forwarded, 0u);
  CAF_CHECK(report.next == broker::look_interval);
}

UMBEL_SCENARIO(many_due_messages_are_put_back_by_many_at_once_each_by_one) {
  constexpr int total = 1'200;
  auto x = w.connect("a@h");
  strings ids;
  for (int i = 0; i < total; ++i)
    ids.push_back(std::to_string(i));
  publish(*x, ids);
  std::vector<settlement> batch;
  for (int i = 0; i < 2; ++i)
    for (auto& y : reserve(*x, 1'000))
      batch.push_back(delayed(y, w.now() - 1s));
  x->settle(batch).value();
  CAF_CHECK_EQUAL(w.unacknowledged(), size_t{total});
  size_t counts[3] = {};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&, i] {
      auto y = w.connect("forwarder" + std::to_string(i) + "@h");
      forward_report report;
      do {
        report = y->forward().value();
        counts[i] += report.forwarded;
      } while (report.next == 0ms);
    });
  for (auto& t : threads)
    t.join();
  CAF_CHECK_EQUAL(counts[0] + counts[1] + counts[2], size_t{total});
  auto found = drain(w, "q");
  std::sort(found.begin(), found.end());
  std::sort(ids.begin(), ids.end());
  CAF_CHECK_EQUAL(found, ids);
}
