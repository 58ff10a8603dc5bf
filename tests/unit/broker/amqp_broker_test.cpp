// RabbitMQ, where it is its own kind of broker: what a delivery is, what is
// sent ahead, and what survives which connection.
#define CAF_SUITE amqp_broker

#include "tests/unit/dsl.hpp"

#include "protocol/broker/amqp/feed.hpp"
#include "tests/unit/broker/rabbitmq_world.hpp"

using namespace umbel;
using namespace umbel::test;

using strings = std::vector<std::string>;

namespace {

struct fixture {
  rabbitmq_world w;
};

/// Reserves until there are so many, or for a while: long enough on a busy machine.
std::vector<delivery> take(broker& x, size_t count) {
  std::vector<delivery> result;
  for (auto end = std::chrono::steady_clock::now() + 1min;
       result.size() < count && std::chrono::steady_clock::now() < end;) {
    for (auto& y : x.reserve(count - result.size()).value())
      result.push_back(std::move(y));
    if (result.size() < count)
      x.wait(50ms).value();
  }
  return result;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(amqp_broker_tests, fixture)

CAF_TEST(messages_come_in_order_and_are_gone_when_acknowledged) {
  auto x = w.connect("a@h");
  publish(*x, {"1", "2", "3"});
  auto got = take(*x, 3);
  CAF_REQUIRE_EQUAL(ids_of(got), (strings{"1", "2", "3"}));
  CAF_CHECK_EQUAL(got[0].tag.str(), "a@h/a@h-first/1");
  CAF_CHECK(!is_redelivered(got[0].payload));
  // Out of order, one at a time and as a run.
  CAF_CHECK(settle(*x, settled(got[1])));
  CAF_CHECK(!settle(*x, settled(got[1])));
  std::vector<settlement> rest{settled(got[0]), settled(got[2])};
  CAF_CHECK_EQUAL(x->settle(rest).value(), (std::vector<bool>{true, true}));
  x->release().value();
  x.reset();
  CAF_CHECK_EQUAL(w.connect("b@h")->size(queue_name{"q"}).value(), 0u);
}

CAF_TEST(what_is_not_acknowledged_comes_back_when_its_life_ends) {
  auto x = w.connect("a@h");
  publish(*x, {"1", "2"});
  auto got = take(*x, 2);
  settle(*x, settled(got.at(1)));
  x.reset();
  auto y = w.connect("b@h");
  auto again = take(*y, 1);
  CAF_REQUIRE_EQUAL(ids_of(again), (strings{"1"}));
  CAF_CHECK(is_redelivered(again[0].payload));
}

CAF_TEST(the_writer_settles_what_the_reader_reserved) {
  auto options = w.options("a@h");
  auto reader = w.connect(options);
  auto writer = w.connect(options);
  publish(*writer, {"1"});
  auto got = take(*reader, 1);
  std::vector<delivery_tag> tags{got.at(0).tag};
  CAF_CHECK_EQUAL(writer->owned(tags).value(), (std::vector<bool>{true}));
  CAF_CHECK(settle(*writer, settled(got[0])));
  CAF_CHECK_EQUAL(reader->owned(tags).value(), (std::vector<bool>{false}));
}

CAF_TEST(a_new_reader_gets_what_its_predecessor_did_not_receive) {
  auto options = w.options("a@h");
  auto reader = w.connect(options);
  auto writer = w.connect(options);
  publish(*writer, {"1", "2", "3"});
  auto got = take(*reader, 3);
  CAF_REQUIRE_EQUAL(got.size(), 3u);
  reader.reset();
  options.first_sequence = 2; // it has read the first alone
  reader = w.connect(options);
  auto again = take(*reader, 2);
  CAF_CHECK_EQUAL(ids_of(again), (strings{"2", "3"}));
  CAF_CHECK(settle(*writer, settled(got[0])));
  CAF_CHECK(!settle(*writer, settled(got[1])));
  CAF_CHECK(settle(*writer, settled(again.at(0))));
}

CAF_TEST(what_a_dead_channel_delivered_is_never_settled_on_a_new_one) {
  auto options = w.options("a@h");
  auto reader = w.connect(options);
  auto writer = w.connect(options);
  publish(*writer, {"1"});
  auto old = take(*reader, 1).at(0);
  amqp::feed::of(w.url(), options).value()->close(); // as a failing network
  reader = w.connect(options);
  auto again = take(*reader, 1).at(0);
  CAF_CHECK_EQUAL(id_of(again.payload), "1");
  CAF_CHECK_NOT_EQUAL(again.tag, old.tag);
  auto s = settled(old);
  s.publish = {to("next", "2")};
  CAF_CHECK(!settle(*writer, s));
  CAF_CHECK_EQUAL(writer->size(queue_name{"next"}).value(), 0u);
  CAF_CHECK(settle(*writer, settled(again)));
}

CAF_TEST(what_is_still_in_hand_is_not_handed_out_again_after_a_failure) {
  auto options = w.options("a@h");
  auto reader = w.connect(options);
  auto writer = w.connect(options);
  publish(*writer, {"1", "2"});
  auto old = take(*reader, 2);
  CAF_REQUIRE_EQUAL(ids_of(old), (strings{"1", "2"}));
  CAF_CHECK(settle(*writer, settled(old[0])));
  amqp::feed::of(w.url(), options).value()->close();
  CAF_CHECK(!settle(*writer, settled(old[0])));
  options.first_sequence = 3;
  reader = w.connect(options);
  publish(*writer, {"3"});
  auto fresh = take(*reader, 1);
  CAF_CHECK_EQUAL(ids_of(fresh), (strings{"3"}));
  std::vector<delivery_tag> tags{old[0].tag, old[1].tag};
  CAF_CHECK_EQUAL(writer->owned(tags).value(),
                  (std::vector<bool>{false, true}));
  CAF_CHECK(settle(*writer, settled(old[1])));
  CAF_CHECK(settle(*writer, settled(fresh[0])));
  writer->release().value();
  CAF_CHECK_EQUAL(w.connect("b@h")->size(queue_name{"q"}).value(), 0u);
}

CAF_TEST(what_ended_while_there_was_no_connection_is_acknowledged_afterwards) {
  auto options = w.options("a@h");
  auto reader = w.connect(options);
  auto writer = w.connect(options);
  publish(*writer, {"1", "2"});
  auto old = take(*reader, 2);
  amqp::feed::of(w.url(), options).value()->close();
  // Nothing follows from the first; a result of the second would not have been
  // stored, because it is not owned.
  CAF_CHECK(!settle(*writer, settled(old.at(0))));
  CAF_CHECK_EQUAL(writer->owned({&old.at(1).tag, 1}).value(),
                  (std::vector<bool>{false}));
  options.first_sequence = 3;
  reader = w.connect(options);
  auto again = take(*reader, 1);
  CAF_CHECK_EQUAL(ids_of(again), (strings{"2"}));
  CAF_CHECK(settle(*writer, settled(again.at(0))));
  writer->release().value();
  CAF_CHECK_EQUAL(w.connect("b@h")->size(queue_name{"q"}).value(), 0u);
}

CAF_TEST(follow_ups_are_published_before_the_message_is_acknowledged) {
  auto x = w.connect("a@h");
  publish(*x, {"1"});
  auto s = settled(take(*x, 1).at(0));
  s.publish = {to("next", "2", 7), to("other", "3")};
  CAF_CHECK(settle(*x, s));
  auto y = w.connect(w.options("b@h", {"next", "other"}));
  auto got = take(*y, 2);
  CAF_REQUIRE_EQUAL(got.size(), 2u);
  auto doc = json::parse(got[0].payload);
  CAF_CHECK_EQUAL(doc.at("properties").at("priority").as_int64(), 7);
}

CAF_TEST(what_follows_an_early_acknowledgement_is_published_once) {
  auto x = w.connect("a@h");
  publish(*x, {"1"});
  auto s = settled(take(*x, 1).at(0));
  CAF_CHECK(settle(*x, s));
  s.how = disposition::none;
  s.publish = {to("next", "2")};
  CAF_CHECK(settle(*x, s));
  CAF_CHECK(!settle(*x, s));
  CAF_CHECK_EQUAL(x->size(queue_name{"next"}).value(), 1u);
}

CAF_TEST(what_could_not_be_published_is_published_when_it_is_settled_again) {
  auto x = w.connect("a@h");
  publish(*x, {"1"});
  auto s = settled(take(*x, 1).at(0));
  CAF_CHECK(settle(*x, s));
  s.how = disposition::none;
  s.publish = {to("amq.not-ours", "2")}; // names like this are RabbitMQ's own
  CAF_CHECK(!x->settle({&s, 1}));
  s.publish = {to("next", "2")};
  CAF_CHECK(settle(*x, s));
  CAF_CHECK_EQUAL(x->size(queue_name{"next"}).value(), 1u);
}

CAF_TEST(requeue_puts_a_message_behind_the_others_as_redelivered) {
  auto x = w.connect("a@h");
  publish(*x, {"1"});
  auto first = take(*x, 1).at(0);
  publish(*x, {"2", "3"});
  auto others = take(*x, 2);
  CAF_CHECK(settle(*x, settled(first, disposition::requeue)));
  auto again = take(*x, 1);
  CAF_REQUIRE_EQUAL(ids_of(again), (strings{"1"}));
  CAF_CHECK(is_redelivered(again[0].payload));
}

CAF_TEST(restore_puts_a_message_back_as_redelivered) {
  auto x = w.connect("a@h");
  publish(*x, {"1"});
  CAF_CHECK(settle(*x, settled(take(*x, 1).at(0), disposition::restore)));
  auto again = take(*x, 1);
  CAF_REQUIRE_EQUAL(ids_of(again), (strings{"1"}));
  CAF_CHECK(is_redelivered(again[0].payload));
}

CAF_TEST(dead_letters_are_kept_with_their_reason_the_newest_first) {
  auto x = w.connect("a@h");
  publish(*x, {"1", "2"});
  for (auto& y : take(*x, 2)) {
    auto s = settled(y);
    s.dead = dead_letter{"reason " + id_of(y.payload), y.payload};
    CAF_CHECK(settle(*x, s));
  }
  for (int twice = 0; twice < 2; ++twice) {
    auto dead = x->dead_letters(queue_name{"q"}, 5).value();
    CAF_REQUIRE_EQUAL(dead.size(), 2u);
    CAF_CHECK_EQUAL(dead[0].reason, "reason 2");
    CAF_CHECK_EQUAL(id_of(dead[0].payload), "2");
    CAF_CHECK_EQUAL(id_of(dead[1].payload), "1");
  }
  CAF_CHECK_EQUAL(x->dead_letters(queue_name{"q"}, 1).value().size(), 1u);
  CAF_CHECK(x->dead_letters(queue_name{"unknown"}, 1).value().empty());
}

CAF_TEST(dead_letters_are_taken_replayed_and_discarded) {
  auto x = w.connect("a@h");
  publish(*x, {"1", "2", "3"});
  for (auto& y : take(*x, 3)) {
    auto s = settled(y);
    s.dead = dead_letter{"reason", mark_redelivered(y.payload).value()};
    CAF_CHECK(settle(*x, s));
  }
  auto dead = x->dead_letters(queue_name{"q"}, 5).value();
  CAF_REQUIRE_EQUAL(dead.size(), 3u);
  CAF_MESSAGE("an id is the same at each look");
  auto again = x->dead_letters(queue_name{"q"}, 5).value();
  CAF_REQUIRE_EQUAL(again.size(), 3u);
  for (size_t i = 0; i < again.size(); ++i)
    CAF_CHECK_EQUAL(again[i].id, dead[i].id);
  const strings two{dead[2].id, dead[0].id, "no such letter"};
  auto taken = x->take_dead(queue_name{"q"}, two, dead_fate::replay).value();
  CAF_CHECK_EQUAL(taken, 2u);
  auto replayed = take(*x, 2);
  CAF_REQUIRE_EQUAL(ids_of(replayed), (strings{"1", "3"}));
  CAF_CHECK(!is_redelivered(replayed[0].payload));
  const strings one{dead[1].id};
  CAF_CHECK_EQUAL(
    x->take_dead(queue_name{"q"}, one, dead_fate::discard).value(), 1u);
  CAF_CHECK(x->dead_letters(queue_name{"q"}, 5).value().empty());
  CAF_CHECK_EQUAL(
    x->take_dead(queue_name{"unknown"}, one, dead_fate::discard).value(), 0u);
}

CAF_TEST(queues_are_bound_as_the_options_say) {
  auto options = w.options("a@h", {"q", "bcast.r"});
  options.bindings = {{"q", {"other", "topic", "animal.#"}},
                      {"bcast.r", {"next", "fanout", ""}},
                      {"r", {"next", "fanout", ""}}};
  auto x = w.connect(options);
  for (int twice = 0; twice < 2; ++twice)
    CAF_CHECK(x->declare(options.queues).has_value());
  CAF_CHECK_EQUAL(x->publish("other", "animal.cat", message("1"), 0).value(),
                  1u);
  CAF_CHECK_EQUAL(x->publish("other", "plant", message("2"), 0).value(), 0u);
  CAF_CHECK_EQUAL(x->publish("next", "any", message("3"), 0).value(), 1u);
  auto sent = to("r", "4");
  x->publish({&sent, 1}).value();
  auto got = ids_of(take(*x, 3));
  std::ranges::sort(got);
  CAF_CHECK_EQUAL(got, (strings{"1", "3", "4"}));
  CAF_MESSAGE("what is this node's alone ends with it, and nobody is told twice");
  x->release().value();
  auto y = w.connect("b@h");
  CAF_CHECK_EQUAL(y->publish("next", "any", message("5"), 0).value(), 0u);
}

CAF_TEST(what_is_broadcast_to_nobody_is_no_error) {
  auto options = w.options("a@h", {});
  options.bindings = {{"r", {"empty", "fanout", ""}}};
  auto x = w.connect(options);
  auto sent = to("r", "1");
  x->publish({&sent, 1}).value();
  CAF_CHECK_EQUAL(x->size(queue_name{"r"}).value(), 0u);
}

CAF_TEST(a_delayed_message_waits_in_the_broker_and_comes_back_by_itself) {
  auto x = w.connect("a@h");
  publish(*x, {"1"});
  auto s = settled(take(*x, 1).at(0), disposition::delay);
  auto before = now();
  s.due = before + 1500ms;
  s.priority = 3;
  CAF_CHECK(settle(*x, s));
  x->release().value(); // owned by nobody
  x.reset();
  auto y = w.connect("b@h");
  auto got = take(*y, 1);
  CAF_CHECK(now() - before >= 1s); // it waits for whole seconds, and for one at least
  CAF_REQUIRE_EQUAL(ids_of(got), (strings{"1"}));
  CAF_CHECK(!is_redelivered(got[0].payload));
  auto doc = json::parse(got[0].payload).at("properties");
  CAF_CHECK_EQUAL(doc.at("priority").as_int64(), 3);
  CAF_CHECK_EQUAL(doc.at("delivery_info").at("routing_key").as_string(), "q");
  // And again, through the same queues.
  s = settled(got[0], disposition::delay);
  s.due = now();
  s.payload = message("2");
  CAF_CHECK(settle(*y, s));
  CAF_CHECK_EQUAL(ids_of(take(*y, 1)), (strings{"2"}));
}

CAF_TEST(a_pause_gives_back_what_was_sent_ahead) {
  auto x = w.connect("a@h");
  publish(*x, {"1", "2", "3"});
  auto got = take(*x, 1);
  CAF_REQUIRE_EQUAL(ids_of(got), (strings{"1"}));
  x->pause().value();
  auto y = w.connect("b@h");
  CAF_CHECK_EQUAL(ids_of(take(*y, 2)), (strings{"2", "3"}));
  CAF_CHECK(settle(*x, settled(got[0])));
  y->pause().value();
  publish(*y, {"4"});
  CAF_CHECK(!take(*x, 1).empty()); // consumes again
}

CAF_TEST(what_was_sent_ahead_goes_back_when_the_queues_are_others) {
  auto options = w.options("a@h", {"q", "r"});
  auto x = w.connect(options);
  x->declare(options.queues).value();
  publish(*x, {"1", "2", "3"});
  auto got = take(*x, 1);
  CAF_REQUIRE_EQUAL(ids_of(got), (strings{"1"}));
  const std::vector<queue_name> others{queue_name{"r"}, queue_name{"s"}};
  x->consume(others).value();
  auto y = w.connect("b@h");
  CAF_CHECK_EQUAL(ids_of(take(*y, 2)), (strings{"2", "3"}));
  std::vector<outgoing_message> batch{to("r", "4"), to("s", "5"), to("q", "6")};
  y->publish(batch).value();
  CAF_CHECK_EQUAL(ids_of(take(*x, 2)), (strings{"4", "5"}));
  CAF_CHECK(settle(*x, settled(got[0]))); // it was this worker's all the while
  y->pause().value();
  x->consume(options.queues).value();
  CAF_CHECK_EQUAL(ids_of(take(*x, 1)), (strings{"6"}));
}

CAF_TEST(as_many_are_sent_ahead_as_are_wanted) {
  auto options = w.options("a@h");
  options.prefetch = 2;
  options.prefetch_max = 50;
  auto x = w.connect(options);
  strings ids;
  for (int i = 0; i < 300; ++i)
    ids.push_back(std::to_string(i));
  publish(*x, ids);
  CAF_CHECK_EQUAL(take(*x, 2).size(), 2u);
  CAF_CHECK_EQUAL(x->size(queue_name{"q"}).value(), 298u);
  CAF_CHECK_EQUAL(take(*x, 50).size(), 50u);
  CAF_CHECK(x->size(queue_name{"q"}).value() >= 200u);
}

CAF_TEST(what_exists_is_taken_as_it_is) {
  auto options = w.options("a@h", {"quorum"});
  options.queue_arguments = {{"", R"({"x-queue-type": "quorum"})"}};
  auto x = w.connect(options);
  x->declare(options.queues).value();
  options.queue_arguments = {{"quorum", R"({"x-max-priority": 5})"}};
  auto y = w.connect(options);
  y->declare(options.queues).value();
  auto sent = to("quorum", "1");
  y->publish({&sent, 1}).value();
  auto got = take(*y, 1);
  CAF_REQUIRE_EQUAL(ids_of(got), (strings{"1"}));
  CAF_CHECK(settle(*y, settled(got[0], disposition::restore)));
  got = take(*y, 1);
  CAF_REQUIRE_EQUAL(ids_of(got), (strings{"1"}));
  CAF_CHECK(settle(*y, settled(got[0])));
}

CAF_TEST(a_queue_with_priorities_gives_the_urgent_ones_first) {
  auto options = w.options("a@h", {"urgent"});
  options.queue_arguments = {{"urgent", R"({"x-max-priority": 9})"}};
  auto x = w.connect(options);
  x->declare(options.queues).value();
  std::vector<outgoing_message> batch{to("urgent", "1", 1), to("urgent", "9", 9)};
  x->publish(batch).value();
  CAF_CHECK_EQUAL(ids_of(take(*x, 2)), (strings{"9", "1"}));
}

CAF_TEST(publishing_tells_whether_there_is_a_queue) {
  auto x = w.connect("a@h");
  const std::vector<queue_name> queues{queue_name{"q"}};
  x->declare(queues).value();
  CAF_CHECK_EQUAL(x->publish("q", "q", message("1"), 0).value(), 1u);
  CAF_CHECK_EQUAL(x->publish("q", "wrong key", message("2"), 0).value(), 0u);
  CAF_CHECK_EQUAL(x->publish("", "nowhere", message("3"), 0).value(), 0u);
  CAF_CHECK_EQUAL(x->publish("", "q", message("4"), 0).value(), 1u);
  CAF_CHECK_EQUAL(x->size(queues[0]).value(), 2u);
  CAF_CHECK_EQUAL(x->purge(queues[0]).value(), 2u);
  CAF_CHECK_EQUAL(x->purge(queue_name{"nowhere"}).value(), 0u);
  CAF_CHECK_EQUAL(x->size(queue_name{"nowhere"}).value(), 0u);
}

CAF_TEST(publishing_many_messages_confirms_them_all) {
  auto x = w.connect("a@h");
  strings ids;
  for (int i = 0; i < 3'000; ++i)
    ids.push_back(std::to_string(i));
  publish(*x, ids);
  CAF_CHECK_EQUAL(x->size(queue_name{"q"}).value(), 3'000u);
}

CAF_TEST(a_wait_ends_with_a_message_an_interrupt_or_its_time) {
  auto x = w.connect("a@h");
  auto y = w.connect("b@h");
  CAF_CHECK(x->reserve(1).value().empty());
  auto begin = std::chrono::steady_clock::now();
  x->interrupt();
  x->wait(1min).value();
  std::thread later{[&] {
    std::this_thread::sleep_for(50ms);
    publish(*y, {"1"});
  }};
  do
    x->wait(1min).value();
  while (x->reserve(1).value().empty()
         && std::chrono::steady_clock::now() - begin < 30s);
  later.join();
  CAF_CHECK(std::chrono::steady_clock::now() - begin < 30s);
}

CAF_TEST(login_errors_are_one_line_without_the_password) {
  auto port = w.url().substr(w.url().rfind(':') + 1);
  auto refused = connect_broker("amqp://guest:secret@127.0.0.1:" + port,
                                w.options("a@h"));
  CAF_REQUIRE(!refused.has_value());
  CAF_CHECK(refused.error().code == errc::refused);
  CAF_CHECK(refused.error().what.find("ACCESS_REFUSED") != std::string::npos);
  CAF_CHECK(refused.error().what.find("secret") == std::string::npos);
  CAF_CHECK(refused.error().what.find('\n') == std::string::npos);
  auto nowhere = connect_broker(w.url() + "nowhere", w.options("a@h"));
  CAF_REQUIRE(!nowhere.has_value());
  CAF_CHECK(nowhere.error().what.find("nowhere") != std::string::npos);
  // The first that can be had.
  auto second = connect_broker("amqp://127.0.0.1:1//;" + w.url(),
                               w.options("a@h"));
  CAF_REQUIRE(second.has_value());
}

CAF_TEST_FIXTURE_SCOPE_END()
