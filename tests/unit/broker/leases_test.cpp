// Conformance: who may settle a message, and who gets it when an owner is gone.
#define CAF_SUITE leases

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/worlds.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

using namespace umbel;
using namespace umbel::test;

using strings = std::vector<std::string>;

namespace {

std::vector<delivery_tag> tags_of(const std::vector<delivery>& xs) {
  std::vector<delivery_tag> result;
  for (auto& x : xs)
    result.push_back(x.tag);
  return result;
}

size_t restored(broker& x) {
  return x.recover().value().restored;
}

/// By so much the clocks of a scenario and a broker may differ: their resolution.
constexpr auto clocks_differ = 2ms;

} // namespace

UMBEL_SCENARIO(recover_restores_what_a_dead_owner_left_and_names_it) {
  auto a = w.connect("a@h");
  auto b = w.connect("b@h");
  publish(*a, {"1", "2", "3", "4"});
  auto before = w.now(); // the lease begins with the reservation
  auto ys = reserve(*a, 3);
  settle(*a, settled(ys.at(1)));
  a.reset(); // as kill -9 does it: without a word
  recovery_report report;
  CAF_CHECK(w.eventually([&] {
    b->renew({}).value();
    report = b->recover().value();
    return report.restored > 0;
  }));
  CAF_CHECK(w.now() - before + clocks_differ >= w.lease());
  CAF_CHECK_EQUAL(report.restored, 2u);
  CAF_CHECK_EQUAL(report.dead_owners, (strings{"a@h-first"}));
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
  report = b->recover().value();
  CAF_CHECK_EQUAL(report.restored, 0u);
  CAF_CHECK(report.dead_owners.empty());
  auto again = reserve(*b);
  CAF_CHECK_EQUAL(ids_of(again), (strings{"1", "3", "4"}));
  CAF_REQUIRE_EQUAL(again.size(), 3u);
  CAF_CHECK(is_redelivered(again[0].payload));
  CAF_CHECK(is_redelivered(again[1].payload));
  CAF_CHECK(!is_redelivered(again[2].payload));
}

UMBEL_SCENARIO(recovered_messages_keep_their_priority) {
  auto a = w.connect("a@h");
  std::vector<outgoing_message> batch{to("q", "low", 9), to("q", "mid", 3)};
  a->publish(batch).value();
  reserve(*a);
  a->release().value();
  auto b = w.connect("b@h");
  CAF_CHECK_EQUAL(restored(*b), 2u);
  batch = {to("q", "urgent")};
  b->publish(batch).value();
  CAF_CHECK_EQUAL(ids_of(reserve(*b)), (strings{"urgent", "mid", "low"}));
}

UMBEL_SCENARIO(after_recovery_the_old_owner_settles_without_effect) {
  auto a = w.connect("a@h");
  auto b = w.connect("b@h");
  publish(*a, {"1"});
  auto old = reserve(*a);
  CAF_CHECK(w.eventually([&] { return restored(*b) == 1; }));
  CAF_CHECK_EQUAL(a->owned(tags_of(old)).value(), (std::vector<bool>{false}));
  auto mine = reserve(*b);
  CAF_REQUIRE_EQUAL(mine.size(), 1u);
  CAF_CHECK(mine[0].tag != old.at(0).tag);
  for (auto how :
       {disposition::ack, disposition::requeue, disposition::restore}) {
    auto s = settled(old.at(0), how);
    s.result = success("1", "\"of the old owner\"");
    s.publish = {to("next", "of the old owner")};
    CAF_CHECK(!settle(*a, s));
  }
  CAF_CHECK_EQUAL(b->owned(tags_of(mine)).value(), (std::vector<bool>{true}));
  CAF_CHECK(!w.results()->fetch(task_id{"1"}).value().has_value());
  CAF_CHECK_EQUAL(drain(w, "next"), (strings{}));
  CAF_CHECK_EQUAL(b->size(queue_name{"q"}).value(), 0u);
  auto s = settled(mine[0]);
  s.result = success("1", "\"of the new owner\"");
  CAF_CHECK(settle(*b, s));
  CAF_CHECK_EQUAL(w.results()->fetch(task_id{"1"}).value().value_or(""),
                  s.result->document);
}

UMBEL_SCENARIO(recoverers_that_race_restore_each_message_once) {
  constexpr size_t total = 300;
  auto a = w.connect("a@h");
  std::vector<outgoing_message> batch;
  for (size_t i = 0; i < total; ++i)
    batch.push_back(to("q", std::to_string(i)));
  a->publish(batch).value();
  CAF_REQUIRE_EQUAL(reserve(*a, total).size(), total);
  a->release().value();
  std::atomic<size_t> sum = 0;
  std::atomic<int> failures = 0;
  std::atomic<int> ready = 0;
  auto race = [&](const char* node) {
    auto x = w.connect(node);
    for (++ready; ready < 2;)
      std::this_thread::yield();
    for (int i = 0; i < 5; ++i)
      if (auto report = x->recover())
        sum += report->restored;
      else
        ++failures;
  };
  std::thread one{race, "b@h"};
  std::thread two{race, "c@h"};
  one.join();
  two.join();
  CAF_CHECK_EQUAL(failures.load(), 0);
  CAF_CHECK_EQUAL(sum.load(), total);
  CAF_CHECK_EQUAL(a->size(queue_name{"q"}).value(), total);
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
}

UMBEL_SCENARIO(a_lease_that_is_renewed_keeps_its_messages) {
  auto a = w.connect("a@h");
  auto b = w.connect("b@h");
  publish(*a, {"1"});
  auto ys = reserve(*a);
  w.meanwhile(2 * w.lease(), [&] {
    auto renewed = w.now();
    a->renew({}).value();
    if (restored(*b) == 0)
      return;
    // Only if this process was stopped in between until the lease had ended.
    CAF_REQUIRE(w.now() - renewed + clocks_differ >= w.lease());
    ys = reserve(*a);
  });
  CAF_CHECK(settle(*a, settled(ys.at(0))));
}

UMBEL_SCENARIO(recover_leaves_alone_what_the_caller_itself_has_reserved) {
  auto a = w.connect("a@h");
  publish(*a, {"1"});
  auto ys = reserve(*a);
  size_t lost = 0;
  w.meanwhile(2 * w.lease(), [&] { lost += restored(*a); });
  CAF_CHECK_EQUAL(lost, 0u);
  CAF_CHECK(settle(*a, settled(ys.at(0))));
}

UMBEL_SCENARIO(release_gives_up_the_lease_at_once) {
  auto options = w.options("a@h");
  options.lease = 1h;
  auto a = w.connect(options);
  a->renew({}).value();
  publish(*a, {"1"});
  auto ys = reserve(*a);
  auto b = w.connect("b@h");
  CAF_CHECK_EQUAL(restored(*b), 0u);
  a->release().value();
  CAF_CHECK_EQUAL(restored(*b), 1u);
  CAF_CHECK(!settle(*a, settled(ys.at(0))));
  CAF_CHECK_EQUAL(drain(w, "q"), (strings{"1"}));
}

UMBEL_SCENARIO(another_life_of_the_same_node_is_another_owner) {
  auto a = w.connect("a@h");
  publish(*a, {"1"});
  auto ys = reserve(*a);
  auto options = w.options("a@h");
  options.incarnation = "a@h-second";
  auto next = w.connect(options);
  CAF_CHECK(reserve(*next).empty());
  CAF_CHECK(w.eventually([&] {
    next->renew({}).value();
    return restored(*next) == 1;
  }));
  CAF_CHECK_EQUAL(ids_of(reserve(*next)), (strings{"1"}));
  CAF_CHECK(!settle(*a, settled(ys.at(0))));
}

UMBEL_SCENARIO(what_a_python_peer_left_is_restored_after_the_timeout) {
  const delivery_tag old{"9d1c8a3e-0000-4000-8000-000000000001"};
  const delivery_tag recent{"9d1c8a3e-0000-4000-8000-000000000002"};
  w.plant(old, queue_name{"q"}, message("old"), 61min);
  w.plant(recent, queue_name{"q"}, message("recent"), 59min);
  auto x = w.connect("a@h"); // whose visibility timeout is one hour
  auto report = x->recover().value();
  CAF_CHECK_EQUAL(report.restored, 1u);
  CAF_CHECK(report.dead_owners.empty());
  std::vector<delivery_tag> tags{old, recent};
  CAF_CHECK_EQUAL(x->owned(tags).value(), (std::vector<bool>{false, true}));
  auto ys = reserve(*x);
  CAF_CHECK_EQUAL(ids_of(ys), (strings{"old"}));
  CAF_CHECK(is_redelivered(ys.at(0).payload));
  CAF_CHECK_EQUAL(restored(*x), 0u);
}

UMBEL_SCENARIO(a_tag_that_is_renewed_is_safe_from_the_visibility_timeout) {
  auto options = w.options("a@h");
  options.lease = 1h;
  auto a = w.connect(options);
  options = w.options("b@h");
  options.visibility_timeout = w.lease(); // any time that can be waited for
  auto b = w.connect(options);
  std::vector<delivery> ys;
  size_t count = 0;
  do { // once more if both were restored
    publish(*a, {"kept", "left"});
    ys = reserve(*a);
    auto kept = tags_of(ys);
    kept.pop_back();
    CAF_REQUIRE(w.eventually([&] {
      auto renewed = w.now();
      a->renew(kept).value();
      count = restored(*b);
      // Both only if this process was stopped in between for that time.
      CAF_REQUIRE(count < 2
                  || w.now() - renewed + clocks_differ
                       >= options.visibility_timeout);
      return count > 0;
    }));
  } while (count == 2 && !drain(w, "q").empty());
  CAF_CHECK_EQUAL(count, 1u);
  CAF_CHECK_EQUAL(a->owned(tags_of(ys)).value(),
                  (std::vector<bool>{true, false}));
  CAF_CHECK_EQUAL(ids_of(reserve(*b)), (strings{"left"}));
}

UMBEL_SCENARIO(renewing_a_tag_that_is_gone_does_not_bring_it_back) {
  auto a = w.connect("a@h");
  publish(*a, {"1"});
  auto ys = reserve(*a);
  settle(*a, settled(ys.at(0)));
  a->renew(tags_of(ys)).value();
  CAF_CHECK_EQUAL(a->owned(tags_of(ys)).value(), (std::vector<bool>{false}));
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
}

UMBEL_SCENARIO(a_message_that_is_no_envelope_is_recovered_as_it_is) {
  auto a = w.connect("a@h");
  outgoing_message sent{queue_name{"q"}, 0, "no json \xff"};
  a->publish({&sent, 1}).value();
  reserve(*a);
  a->release().value();
  auto b = w.connect("b@h");
  CAF_CHECK_EQUAL(restored(*b), 1u);
  auto ys = reserve(*b);
  CAF_REQUIRE_EQUAL(ys.size(), 1u);
  CAF_CHECK_EQUAL(ys[0].payload, sent.payload);
}

UMBEL_SCENARIO(a_new_connection_gets_what_its_predecessor_did_not_read) {
  auto options = w.options("a@h");
  auto before = w.connect(options);
  publish(*before, {"1", "2", "3", "4"});
  auto read = reserve(*before, 1);
  auto unread = reserve(*before, 2);
  before.reset();
  options.first_sequence = 2; // after the last that was read
  auto x = w.connect(options);
  auto ys = reserve(*x, 10);
  CAF_CHECK_EQUAL(ids_of(ys), (strings{"2", "3", "4"}));
  CAF_REQUIRE_EQUAL(ys.size(), 3u);
  CAF_CHECK(ys[0].tag == unread.at(0).tag);
  CAF_CHECK(ys[1].tag == unread.at(1).tag);
  CAF_CHECK_EQUAL(ys[2].tag.str(), "a@h/a@h-first/4");
  CAF_CHECK_EQUAL(ys[0].payload, unread.at(0).payload);
  CAF_CHECK_EQUAL(ys[0].queue.str(), "q");
  // What was read before the connection broke is still this owner's.
  CAF_CHECK(settle(*x, settled(read.at(0))));
  for (auto& y : ys)
    CAF_CHECK(settle(*x, settled(y)));
  CAF_CHECK(reserve(*x).empty());
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
}

UMBEL_SCENARIO(what_was_not_read_is_given_once_by_the_first_reserve) {
  auto options = w.options("a@h");
  auto before = w.connect(options);
  publish(*before, {"1"});
  reserve(*before);
  before.reset();
  auto x = w.connect(options);
  CAF_CHECK_EQUAL(reserve(*x).size(), 1u);
  CAF_CHECK_EQUAL(reserve(*x).size(), 0u);
  CAF_CHECK_EQUAL(reserve(*w.connect(w.options("b@h"))).size(), 0u);
}
