// Conformance: what queues promise to those who publish and reserve.
#define CAF_SUITE queues

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/worlds.hpp"

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

using namespace umbel;
using namespace umbel::test;

using strings = std::vector<std::string>;

CAF_TEST(what_a_broker_cannot_do_are_scenarios) {
  for (auto& kind : worlds())
    for (auto& [name, why] : kind.cannot)
      if (!scenarios().count(name))
        CAF_ERROR(kind.name << ": there is no scenario " << name);
}

UMBEL_SCENARIO(messages_of_a_queue_come_in_the_order_of_publishing) {
  auto x = w.connect("a@h");
  publish(*x, {"1", "2"});
  publish(*x, {"3"});
  CAF_CHECK_EQUAL(ids_of(reserve(*x, 2)), (strings{"1", "2"}));
  CAF_CHECK_EQUAL(ids_of(reserve(*x, 2)), (strings{"3"}));
  CAF_CHECK_EQUAL(ids_of(reserve(*x, 2)), (strings{}));
}

UMBEL_SCENARIO(a_delivery_says_its_queue_and_has_the_payload_byte_for_byte) {
  auto x = w.connect("a@h");
  auto sent = to("q", "1");
  sent.payload.insert(1, " \t ");
  x->publish({&sent, 1}).value();
  auto got = reserve(*x);
  CAF_REQUIRE_EQUAL(got.size(), 1u);
  CAF_CHECK_EQUAL(got[0].queue.str(), "q");
  CAF_CHECK(w.same(got[0].payload, sent.payload));
}

UMBEL_SCENARIO(priority_0_comes_first_and_priorities_of_one_step_in_order) {
  auto x = w.connect("a@h");
  std::vector<outgoing_message> batch;
  for (auto& [id, priority] :
       std::vector<std::pair<std::string, int>>{{"low", 9},
                                                {"five", 5},
                                                {"three", 3},
                                                {"urgent", 0},
                                                {"six", 6},
                                                {"seven", 7},
                                                {"two", 2},
                                                {"beyond", 12},
                                                {"below", -1}})
    batch.push_back(to("q", id, priority));
  x->publish(batch).value();
  CAF_CHECK_EQUAL(x->size(queue_name{"q"}).value(), 9u);
  CAF_CHECK_EQUAL(ids_of(reserve(*x)),
                  (strings{"urgent", "two", "below", "five", "three", "six",
                           "seven", "low", "beyond"}));
}

UMBEL_SCENARIO(an_urgent_message_of_any_queue_comes_before_others) {
  auto x = w.connect(w.options("a@h", {"q", "r"}));
  std::vector<outgoing_message> batch{to("q", "1", 3), to("q", "2", 3),
                                      to("r", "3", 0), to("r", "4", 6)};
  x->publish(batch).value();
  auto got = ids_of(reserve(*x, 3));
  CAF_CHECK_EQUAL(got, (strings{"3", "1", "2"}));
}

UMBEL_SCENARIO(queues_take_turns_within_a_batch_and_between_batches) {
  auto x = w.connect(w.options("a@h", {"q", "r", "s"}));
  std::vector<outgoing_message> batch;
  for (auto queue : {"q", "r", "s"})
    for (int i = 0; i < 20; ++i)
      batch.push_back(to(queue, queue + std::to_string(i)));
  x->publish(batch).value();
  std::map<std::string, int> count;
  for (auto& y : reserve(*x, 12))
    ++count[y.queue.str()];
  CAF_CHECK_EQUAL(count["q"], 4);
  CAF_CHECK_EQUAL(count["r"], 4);
  CAF_CHECK_EQUAL(count["s"], 4);
  count.clear();
  for (int i = 0; i < 6; ++i)
    ++count[reserve(*x, 1).at(0).queue.str()];
  CAF_CHECK_EQUAL(count["q"], 2);
  CAF_CHECK_EQUAL(count["r"], 2);
  CAF_CHECK_EQUAL(count["s"], 2);
}

UMBEL_SCENARIO(a_batch_is_filled_from_one_queue_when_the_others_are_empty) {
  auto x = w.connect(w.options("a@h", {"p", "q", "r"}));
  publish(*x, {"1", "2", "3", "4"});
  CAF_CHECK_EQUAL(ids_of(reserve(*x, 4)), (strings{"1", "2", "3", "4"}));
}

UMBEL_SCENARIO(only_consumed_queues_are_reserved_from) {
  auto x = w.connect("a@h");
  auto other = to("other", "1");
  x->publish({&other, 1}).value();
  CAF_CHECK(reserve(*x).empty());
  CAF_CHECK_EQUAL(drain(w, "other"), (strings{"1"}));
}

UMBEL_SCENARIO(the_queues_that_are_consumed_can_be_changed) {
  auto x = w.connect(w.options("a@h", {"q", "r"}));
  const std::vector<queue_name> before{queue_name{"q"}, queue_name{"r"}};
  const std::vector<queue_name> after{queue_name{"r"}, queue_name{"s"}};
  std::vector<outgoing_message> batch{to("q", "1"), to("r", "2"), to("s", "3")};
  x->publish(batch).value();
  auto sorted = [&] {
    auto ids = ids_of(reserve(*x));
    std::sort(ids.begin(), ids.end());
    return ids;
  };
  CAF_CHECK_EQUAL(sorted(), (strings{"1", "2"}));
  CAF_REQUIRE(x->consume(after).has_value());
  x->publish(batch).value();
  CAF_CHECK_EQUAL(sorted(), (strings{"2", "3", "3"}));
  CAF_REQUIRE(x->consume({}).has_value());
  x->publish(batch).value();
  CAF_CHECK_EQUAL(sorted(), (strings{}));
  CAF_REQUIRE(x->consume(before).has_value());
  CAF_CHECK_EQUAL(sorted(), (strings{"1", "1", "2"}));
}

UMBEL_SCENARIO(tags_are_new_for_every_delivery_and_carry_the_next_number) {
  auto options = w.options("a@h");
  options.first_sequence = 41;
  auto x = w.connect(options);
  publish(*x, {"1", "2"});
  auto first = reserve(*x);
  CAF_REQUIRE_EQUAL(first.size(), 2u);
  CAF_CHECK_EQUAL(first[0].tag.str(), "a@h/a@h-first/41");
  CAF_CHECK_EQUAL(first[1].tag.str(), "a@h/a@h-first/42");
  settle(*x, settled(first[0], disposition::restore));
  auto again = reserve(*x);
  CAF_REQUIRE_EQUAL(again.size(), 1u);
  CAF_CHECK_EQUAL(again[0].tag.str(), "a@h/a@h-first/43");
}

UMBEL_SCENARIO(two_consumers_at_once_neither_lose_nor_share_a_message) {
  constexpr size_t total = 2000;
  auto producer = w.connect("p@h");
  std::vector<outgoing_message> batch;
  for (size_t i = 0; i < total; ++i)
    batch.push_back(to("q", std::to_string(i)));
  producer->publish(batch).value();
  strings got[2];
  std::atomic<int> failures = 0;
  auto consume = [&](int me) {
    auto x = w.connect("consumer" + std::to_string(me) + "@h");
    for (;;) {
      auto ys = x->reserve(7);
      if (!ys)
        ++failures;
      if (!ys || ys->empty())
        return;
      std::vector<settlement> acks;
      for (auto& y : *ys) {
        got[me].push_back(id_of(y.payload));
        acks.push_back(settled(y));
      }
      auto effects = x->settle(acks);
      if (!effects || std::count(effects->begin(), effects->end(), false) > 0)
        ++failures;
    }
  };
  std::thread one{consume, 0};
  std::thread two{consume, 1};
  one.join();
  two.join();
  CAF_CHECK_EQUAL(failures.load(), 0);
  CAF_CHECK_EQUAL(got[0].size() + got[1].size(), total);
  std::set<std::string> distinct{got[0].begin(), got[0].end()};
  distinct.insert(got[1].begin(), got[1].end());
  CAF_CHECK_EQUAL(distinct.size(), total);
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
}

UMBEL_SCENARIO(size_counts_what_waits_in_all_priorities) {
  auto x = w.connect("a@h");
  const queue_name q{"q"};
  CAF_CHECK_EQUAL(x->size(q).value(), 0u);
  std::vector<outgoing_message> batch{to("q", "1"), to("q", "2", 9)};
  x->publish(batch).value();
  CAF_CHECK_EQUAL(x->size(q).value(), 2u);
  reserve(*x, 1);
  CAF_CHECK_EQUAL(x->size(q).value(), 1u);
}

UMBEL_SCENARIO(purge_deletes_what_waits_and_leaves_what_is_reserved) {
  auto x = w.connect("a@h");
  const queue_name q{"q"};
  std::vector<outgoing_message> batch{to("q", "1"), to("q", "2", 9),
                                      to("q", "3"), to("other", "4")};
  x->publish(batch).value();
  auto held = reserve(*x, 1);
  CAF_CHECK_EQUAL(x->purge(q).value(), 2u);
  CAF_CHECK_EQUAL(x->purge(q).value(), 0u);
  CAF_CHECK_EQUAL(x->size(q).value(), 0u);
  CAF_CHECK_EQUAL(x->size(queue_name{"other"}).value(), 1u);
  CAF_CHECK(settle(*x, settled(held.at(0))));
}

UMBEL_SCENARIO(an_exchange_that_is_not_there_leads_nowhere) {
  auto x = w.connect("a@h");
  CAF_CHECK_EQUAL(x->publish("q", "q", message("1"), 0).value(), 0u);
  CAF_CHECK_EQUAL(drain(w, "q"), (strings{}));
}

UMBEL_SCENARIO(a_declared_queue_is_reached_through_its_exchange_once) {
  auto x = w.connect("a@h");
  const std::vector<queue_name> queues{queue_name{"q"}, queue_name{"r"}};
  x->declare(queues).value();
  x->declare(queues).value();
  CAF_CHECK_EQUAL(x->publish("q", "q", message("2"), 0).value(), 1u);
  CAF_CHECK_EQUAL(x->publish("q", "wrong key", message("3"), 0).value(), 0u);
  CAF_CHECK_EQUAL(drain(w, "q"), (strings{"2"}));
  CAF_CHECK_EQUAL(drain(w, "r"), (strings{}));
}

UMBEL_SCENARIO(a_direct_exchange_serves_every_queue_with_the_equal_key) {
  w.bind("direct", "red", false, queue_name{"q"});
  w.bind("direct", "red", false, queue_name{"r"});
  w.bind("direct", "blue", false, queue_name{"s"});
  auto x = w.connect("a@h");
  CAF_CHECK_EQUAL(x->publish("direct", "red", message("1"), 0).value(),
                  w.told(2));
  CAF_CHECK_EQUAL(x->publish("direct", "re", message("2"), 0).value(), 0u);
  CAF_CHECK_EQUAL(drain(w, "q"), (strings{"1"}));
  CAF_CHECK_EQUAL(drain(w, "r"), (strings{"1"}));
  CAF_CHECK_EQUAL(drain(w, "s"), (strings{}));
}

UMBEL_SCENARIO(a_topic_exchange_serves_every_queue_whose_pattern_matches) {
  w.bind("topic", "order.*", true, queue_name{"q"});
  w.bind("topic", "order.#", true, queue_name{"r"});
  w.bind("topic", "#.paid", true, queue_name{"s"});
  auto x = w.connect("a@h");
  auto publish = [&](const char* key, const char* id) {
    return x->publish("topic", key, message(id), 0).value();
  };
  CAF_CHECK_EQUAL(publish("order.new", "1"), 2u);
  CAF_CHECK_EQUAL(publish("order.book.paid", "2"), 3u); // kombu's `*`: any text
  CAF_CHECK_EQUAL(publish("order.", "3"), 1u);
  CAF_CHECK_EQUAL(publish("invoice.paid", "4"), 1u);
  CAF_CHECK_EQUAL(publish("orders", "5"), 0u);
  CAF_CHECK_EQUAL(drain(w, "q"), (strings{"1", "2"}));
  CAF_CHECK_EQUAL(drain(w, "r"), (strings{"1", "2", "3"}));
  CAF_CHECK_EQUAL(drain(w, "s"), (strings{"2", "4"}));
}

UMBEL_SCENARIO(a_queue_that_is_bound_twice_gets_one_copy) {
  w.bind("topic", "a.*", true, queue_name{"q"});
  w.bind("topic", "#.b", true, queue_name{"q"});
  auto x = w.connect("a@h");
  CAF_CHECK_EQUAL(x->publish("topic", "a.b", message("1"), 0).value(), 1u);
  CAF_CHECK_EQUAL(drain(w, "q"), (strings{"1"}));
}

UMBEL_SCENARIO(a_named_exchange_keeps_the_priority) {
  w.bind("direct", "red", false, queue_name{"q"});
  auto x = w.connect("a@h");
  x->publish("direct", "red", message("low", 9), 9).value();
  x->publish("direct", "red", message("urgent", 0), 0).value();
  CAF_CHECK_EQUAL(drain(w, "q"), w.urgent_first({"urgent", "low"}));
}

UMBEL_SCENARIO(text_of_any_script_and_control_characters_pass_unchanged) {
  auto x = w.connect("a@h");
  auto text = std::string{"\u00fcmbel \u82b1 \U0001f33c \\ \" ' % {}"};
  for (char c = 1; c < 32; ++c)
    text += c;
  text += '\0';
  text += '\x7f';
  outgoing_message sent{queue_name{"q"}, 0, message("1", 0, "q", text)};
  x->publish({&sent, 1}).value();
  auto got = reserve(*x);
  CAF_REQUIRE_EQUAL(got.size(), 1u);
  CAF_CHECK(w.same(got[0].payload, sent.payload));
}

UMBEL_SCENARIO(bytes_that_are_no_envelope_are_delivered_and_can_be_settled) {
  auto x = w.connect("a@h");
  std::vector<std::string> payloads{"no json", "", std::string{"\0\xff\r\n", 4},
                                    "[]", "{\"half\": "};
  for (auto& payload : payloads) {
    outgoing_message sent{queue_name{"q"}, 0, payload};
    x->publish({&sent, 1}).value();
    auto got = reserve(*x);
    CAF_REQUIRE_EQUAL(got.size(), 1u);
    CAF_CHECK(got[0].payload == payload);
    CAF_CHECK(settle(*x, settled(got[0])));
  }
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
}

UMBEL_SCENARIO(a_message_of_5_MB_passes_and_can_be_restored) {
  auto x = w.connect("a@h");
  std::string body(5'000'000, 'x'); // which is base64
  body[1'234'567] = 'y';
  auto envelope = json::parse(message("1")).as_object();
  envelope["body"] = body;
  outgoing_message sent{queue_name{"q"}, 0, json::serialize(envelope)};
  x->publish({&sent, 1}).value();
  auto got = reserve(*x);
  CAF_REQUIRE_EQUAL(got.size(), 1u);
  CAF_CHECK(w.same(got[0].payload, sent.payload));
  CAF_CHECK(settle(*x, settled(got[0], disposition::restore)));
  got = reserve(*x);
  CAF_REQUIRE_EQUAL(got.size(), 1u);
  CAF_CHECK(json::parse(got[0].payload).at("body") == envelope["body"]);
  CAF_CHECK_EQUAL(id_of(got[0].payload), "1");
}

UMBEL_SCENARIO(ten_thousand_messages_pass_in_batches_of_64) {
  constexpr size_t total = 10'000;
  auto x = w.connect("a@h");
  for (size_t i = 0; i < total;) {
    std::vector<outgoing_message> batch;
    for (; batch.size() < 64 && i < total; ++i)
      batch.push_back(to("q", std::to_string(i)));
    x->publish(batch).value();
  }
  size_t next = 0;
  size_t effects = 0;
  for (;;) {
    auto got = reserve(*x, 64);
    if (got.empty())
      break;
    std::vector<settlement> batch;
    for (auto& y : got) {
      auto expected = std::to_string(next++);
      if (id_of(y.payload) != expected)
        CAF_FAIL("message " << expected << " is not in its place");
      batch.push_back(settled(y));
      batch.back().result = success(expected);
    }
    auto done = x->settle(batch).value();
    effects += static_cast<size_t>(std::count(done.begin(), done.end(), true));
  }
  CAF_CHECK_EQUAL(next, total);
  CAF_CHECK_EQUAL(effects, total);
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
  CAF_CHECK(w.results()->fetch(task_id{"9999"}).value().has_value());
}

UMBEL_SCENARIO(a_queue_is_bound_as_the_options_say) {
  auto options = w.options("a@h", {"cats", "all", "a@h.dq2"});
  options.bindings = {{"cats", {"zoo", "topic", "animal.cat.#"}},
                      {"all", {"zoo", "topic", "animal.#"}},
                      {"a@h.dq2", {"C.dq2", "direct", "a@h"}}};
  auto x = w.connect(options);
  for (int i = 0; i < 2; ++i)
    CAF_CHECK(x->declare(options.queues).has_value());
  CAF_CHECK_EQUAL(x->publish("zoo", "animal.cat.big", message("1"), 0).value(),
                  w.told(2));
  CAF_CHECK_EQUAL(x->publish("zoo", "animal.dog", message("2"), 0).value(), 1u);
  CAF_CHECK_EQUAL(x->publish("zoo", "plant", message("3"), 0).value(), 0u);
  CAF_CHECK_EQUAL(x->publish("C.dq2", "a@h", message("4"), 0).value(), 1u);
  CAF_CHECK_EQUAL(x->publish("C.dq2", "b@h", message("5"), 0).value(), 0u);
  CAF_CHECK_EQUAL(drain(w, "cats"), (strings{"1"}));
  CAF_CHECK_EQUAL(drain(w, "all"), (strings{"1", "2"}));
  CAF_CHECK_EQUAL(drain(w, "a@h.dq2"), (strings{"4"}));
}
