// Conformance: one settlement is one atomic, fenced step.
#define CAF_SUITE settling

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/worlds.hpp"

using namespace umbel;
using namespace umbel::test;

using strings = std::vector<std::string>;

namespace {

/// Publishes one message and reserves it.
delivery one_reserved(broker& x, const std::string& id) {
  publish(x, {id});
  return reserve(x, 1).at(0);
}

std::string stored(world& w, const std::string& id) {
  return w.results()->fetch(task_id{id}).value().value_or("");
}

} // namespace

UMBEL_SCENARIO(a_reserved_message_is_in_the_ledger_until_it_is_acknowledged) {
  auto x = w.connect("a@h");
  auto y = one_reserved(*x, "1");
  delivery_tag unknown{"a@h/a@h-first/999"};
  std::vector<delivery_tag> tags{y.tag, unknown};
  CAF_CHECK_EQUAL(x->owned(tags).value(), (std::vector<bool>{true, false}));
  CAF_CHECK_EQUAL(w.unacknowledged(), 1u);
  CAF_CHECK(settle(*x, settled(y)));
  CAF_CHECK_EQUAL(x->owned(tags).value(), (std::vector<bool>{false, false}));
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
  CAF_CHECK(reserve(*x).empty());
}

UMBEL_SCENARIO(an_empty_batch_is_nothing) {
  auto x = w.connect("a@h");
  CAF_CHECK(x->settle({}).value().empty());
  CAF_CHECK(x->owned({}).value().empty());
  CAF_CHECK(x->publish({}).has_value());
}

UMBEL_SCENARIO(results_are_stored_where_the_result_url_is_this_server) {
  CAF_CHECK(w.connect("a@h")->stores_results());
  auto options = w.options("b@h");
  options.result_url = "disabled://";
  CAF_CHECK(!w.connect(options)->stores_results());
  options.result_url = "";
  CAF_CHECK(!w.connect(options)->stores_results());
  options.result_url = "memory://somewhere-else";
  CAF_CHECK(!w.connect(options)->stores_results());
}

UMBEL_SCENARIO(ack_stores_the_result_and_publishes_the_follow_ups) {
  auto x = w.connect("a@h");
  auto s = settled(one_reserved(*x, "1"));
  s.result = success("1");
  s.publish = {to("next", "2", 9), to("next", "3"), to("other", "4")};
  CAF_CHECK(settle(*x, s));
  CAF_CHECK_EQUAL(stored(w, "1"), success("1").document);
  CAF_CHECK_EQUAL(drain(w, "next"), w.urgent_first({"3", "2"}));
  CAF_CHECK_EQUAL(drain(w, "other"), (strings{"4"}));
}

UMBEL_SCENARIO(an_ack_that_is_repeated_has_no_effect) {
  auto x = w.connect("a@h");
  auto s = settled(one_reserved(*x, "1"));
  s.publish = {to("next", "2")};
  CAF_CHECK(settle(*x, s));
  s.result = success("1");
  CAF_CHECK(!settle(*x, s));
  CAF_CHECK_EQUAL(stored(w, "1"), "");
  CAF_CHECK_EQUAL(drain(w, "next"), (strings{"2"}));
}

UMBEL_SCENARIO(effects_are_told_one_by_one_in_the_order_of_the_batch) {
  auto x = w.connect("a@h");
  publish(*x, {"1", "2"});
  auto ys = reserve(*x);
  auto stranger = ys.at(0);
  stranger.tag = delivery_tag{"b@h/b@h-first/1"};
  std::vector<settlement> batch{settled(stranger), settled(ys[0]),
                                settled(ys[0]), settled(ys[1])};
  CAF_CHECK_EQUAL(x->settle(batch).value(),
                  (std::vector<bool>{false, true, false, true}));
}

UMBEL_SCENARIO(requeue_puts_a_message_behind_the_others_as_redelivered) {
  auto x = w.connect("a@h");
  publish(*x, {"1", "2", "3"});
  auto y = reserve(*x, 1).at(0);
  auto s = settled(y, disposition::requeue);
  s.result = result_record{task_id{"1"}, R"({"status": "RETRY"})"};
  CAF_CHECK(settle(*x, s));
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
  auto again = reserve(*x);
  CAF_CHECK_EQUAL(ids_of(again), (strings{"2", "3", "1"}));
  CAF_CHECK(is_redelivered(again.back().payload));
  CAF_CHECK_EQUAL(stored(w, "1"), R"({"status": "RETRY"})");
}

UMBEL_SCENARIO(restore_puts_a_message_before_the_others_as_redelivered) {
  auto x = w.connect("a@h");
  publish(*x, {"1", "2", "3"});
  auto y = reserve(*x, 1).at(0);
  CAF_CHECK(!is_redelivered(y.payload));
  CAF_CHECK(settle(*x, settled(y, disposition::restore)));
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
  auto again = reserve(*x);
  CAF_CHECK_EQUAL(ids_of(again), (strings{"1", "2", "3"}));
  CAF_CHECK(is_redelivered(again.at(0).payload));
  CAF_CHECK(!is_redelivered(again.at(1).payload));
}

UMBEL_SCENARIO(what_goes_back_keeps_its_priority) {
  for (auto how : {disposition::restore, disposition::requeue}) {
    auto x = w.connect("a@h");
    std::vector<outgoing_message> batch{to("q", "low", 9), to("q", "mid", 4)};
    x->publish(batch).value();
    for (auto& y : reserve(*x))
      CAF_CHECK(settle(*x, settled(y, how)));
    batch = {to("q", "urgent", 0)};
    x->publish(batch).value();
    CAF_CHECK_EQUAL(drain(w, "q"), w.urgent_first({"urgent", "mid", "low"}));
  }
}

UMBEL_SCENARIO(a_message_that_is_no_envelope_goes_back_as_it_is) {
  auto x = w.connect("a@h");
  for (auto how : {disposition::restore, disposition::requeue}) {
    outgoing_message sent{queue_name{"q"}, 0, "no json \xff"};
    x->publish({&sent, 1}).value();
    CAF_CHECK(settle(*x, settled(reserve(*x).at(0), how)));
    auto again = reserve(*x);
    CAF_REQUIRE_EQUAL(again.size(), 1u);
    CAF_CHECK_EQUAL(again[0].payload, sent.payload);
    settle(*x, settled(again[0]));
  }
}

UMBEL_SCENARIO(none_stores_and_publishes_and_leaves_the_ledger_alone) {
  auto x = w.connect("a@h");
  publish(*x, {"early", "late"});
  auto ys = reserve(*x);
  CAF_CHECK(settle(*x, settled(ys.at(0))));
  for (auto& y : ys) {
    auto s = settled(y, disposition::none);
    s.result = success(id_of(y.payload));
    s.publish = {to("next", "after " + id_of(y.payload))};
    CAF_CHECK(settle(*x, s));
  }
  CAF_CHECK_EQUAL(stored(w, "early"), success("early").document);
  CAF_CHECK_EQUAL(stored(w, "late"), success("late").document);
  CAF_CHECK_EQUAL(drain(w, "next"), (strings{"after early", "after late"}));
  CAF_CHECK_EQUAL(w.unacknowledged(), 1u);
  CAF_CHECK(settle(*x, settled(ys.at(1))));
}

UMBEL_SCENARIO(none_that_is_sent_twice_publishes_once) {
  auto options = w.options("a@h");
  auto x = w.connect(options);
  auto y = one_reserved(*x, "1");
  settle(*x, settled(y));
  auto s = settled(y, disposition::none);
  s.result = success("1");
  s.publish = {to("next", "2"), to("next", "3")};
  s.dead = dead_letter{"reason", y.payload};
  CAF_CHECK(settle(*x, s));
  auto other = w.connect(options); // as after a lost reply
  CAF_CHECK(!settle(*other, s));
  CAF_CHECK_EQUAL(drain(w, "next"), (strings{"2", "3"}));
  CAF_CHECK_EQUAL(x->dead_letters(y.queue, 9).value().size(), 1u);
  CAF_CHECK_EQUAL(stored(w, "1"), success("1").document);
}

UMBEL_SCENARIO(none_with_a_state_alone_may_come_any_number_of_times) {
  auto x = w.connect("a@h");
  auto s = settled(one_reserved(*x, "1"), disposition::none);
  for (auto status : {"STARTED", "PROGRESS", "PROGRESS"}) {
    s.result = result_record{task_id{"1"},
                             std::string{R"({"status": ")"} + status + R"("})"};
    CAF_CHECK(settle(*x, s));
    CAF_CHECK_EQUAL(stored(w, "1"), s.result->document);
  }
  s.how = disposition::ack;
  s.result = success("1");
  CAF_CHECK(settle(*x, s));
  CAF_CHECK_EQUAL(stored(w, "1"), success("1").document);
}

UMBEL_SCENARIO(a_stored_success_is_never_overwritten) {
  auto x = w.connect("a@h");
  auto results = w.results();
  auto s = settled(one_reserved(*x, "1"));
  s.result = success("1");
  CAF_CHECK(settle(*x, s));
  const result_record failure{task_id{"1"}, R"({"status": "FAILURE"})"};
  CAF_CHECK(results->store({&failure, 1}).has_value());
  CAF_CHECK_EQUAL(stored(w, "1"), success("1").document);
  auto again = settled(one_reserved(*x, "1"));
  again.result = failure;
  CAF_CHECK(settle(*x, again)); // the tag goes all the same
  CAF_CHECK_EQUAL(stored(w, "1"), success("1").document);
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
}

UMBEL_SCENARIO(any_other_state_is_overwritten) {
  auto results = w.results();
  for (auto status : {"STARTED", "FAILURE", "RETRY", "REVOKED", "SUCCESS"}) {
    const result_record record{task_id{"1"}, std::string{R"({"status": ")"}
                                                 + status + R"("})"};
    CAF_CHECK(results->store({&record, 1}).has_value());
    CAF_CHECK_EQUAL(stored(w, "1"), record.document);
  }
  CAF_CHECK(results->forget(task_id{"1"}).has_value());
  CAF_CHECK_EQUAL(stored(w, "1"), "");
}

UMBEL_SCENARIO(a_result_that_speaks_of_success_is_no_success) {
  auto results = w.results();
  const result_record failure{
      task_id{"1"},
      R"({"status": "FAILURE", "result": "\"status\": \"SUCCESS\""})"};
  CAF_CHECK(results->store({&failure, 1}).has_value());
  const auto record = success("1");
  CAF_CHECK(results->store({&record, 1}).has_value());
  CAF_CHECK_EQUAL(stored(w, "1"), record.document);
}

UMBEL_SCENARIO(dead_letters_are_kept_newest_first_with_reason_and_payload) {
  auto x = w.connect("a@h");
  std::vector<std::string> payloads{message("1"), "no json \"'\\ \xc3\xbc",
                                    message("3")};
  for (auto& payload : payloads) {
    outgoing_message sent{queue_name{"q"}, 0, payload};
    x->publish({&sent, 1}).value();
    auto s = settled(reserve(*x).at(0));
    s.dead =
        dead_letter{"reason of " + std::to_string(payload.size()), payload};
    CAF_CHECK(settle(*x, s));
  }
  auto dead = x->dead_letters(queue_name{"q"}, 2).value();
  CAF_REQUIRE_EQUAL(dead.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    auto& payload = payloads[2 - i];
    CAF_CHECK_EQUAL(dead[i].payload, payload);
    CAF_CHECK_EQUAL(dead[i].reason,
                    "reason of " + std::to_string(payload.size()));
  }
  CAF_CHECK_EQUAL(x->dead_letters(queue_name{"q"}, 9).value().size(), 3u);
  CAF_CHECK(x->dead_letters(queue_name{"r"}, 9).value().empty());
  CAF_CHECK_EQUAL(x->size(queue_name{"q"}).value(), 0u);
}

UMBEL_SCENARIO(dead_letters_have_a_bound_and_the_oldest_go) {
  auto options = w.options("a@h");
  options.dead_letters_max = 3;
  auto x = w.connect(options);
  for (auto id : {"1", "2", "3", "4", "5"}) {
    auto s = settled(one_reserved(*x, id));
    s.dead = dead_letter{id, message(id)};
    CAF_CHECK(settle(*x, s));
  }
  strings reasons;
  for (auto& y : x->dead_letters(queue_name{"q"}, 9).value())
    reasons.push_back(y.reason);
  CAF_CHECK_EQUAL(reasons, (strings{"5", "4", "3"}));
}

UMBEL_SCENARIO(a_settlement_without_its_tag_parks_nothing) {
  auto x = w.connect("a@h");
  auto y = one_reserved(*x, "1");
  settle(*x, settled(y));
  for (auto how :
       {disposition::ack, disposition::requeue, disposition::restore}) {
    auto s = settled(y, how);
    s.dead = dead_letter{"reason", y.payload};
    CAF_CHECK(!settle(*x, s));
  }
  CAF_CHECK(x->dead_letters(y.queue, 9).value().empty());
  CAF_CHECK_EQUAL(x->size(y.queue).value(), 0u);
}

// -- messages that are begun again and again ------------------------------------

UMBEL_SCENARIO(what_comes_back_may_have_been_changed) {
  auto x = w.connect("a@h");
  for (auto how : {disposition::requeue, disposition::restore}) {
    auto s = settled(one_reserved(*x, "before"), how);
    s.payload = message("after");
    CAF_CHECK(settle(*x, s));
    auto back = reserve(*x).at(0);
    CAF_CHECK_EQUAL(id_of(back.payload), "after");
    CAF_CHECK(is_redelivered(back.payload));
    settle(*x, settled(back));
  }
}

UMBEL_SCENARIO(a_note_in_the_ledger_comes_back_when_the_owner_dies) {
  auto x = w.connect("a@h");
  auto y = one_reserved(*x, "before");
  auto note = settled(y, disposition::none);
  note.payload = message("after");
  for (int i = 0; i < 2; ++i) // it may be sent again
    CAF_CHECK(settle(*x, note));
  CAF_CHECK(x->owned({&y.tag, 1}).value().front());
  x->release().value();
  auto other = w.connect("b@h");
  std::vector<delivery> back;
  CAF_REQUIRE(w.eventually([&] {
    other->recover().value();
    back = reserve(*other);
    return !back.empty();
  }));
  CAF_CHECK_EQUAL(id_of(back.front().payload), "after");
  CAF_CHECK(is_redelivered(back.front().payload));
}

UMBEL_SCENARIO(a_note_on_what_is_somebody_elses_has_no_effect) {
  auto x = w.connect("a@h");
  auto y = one_reserved(*x, "before");
  auto note = settled(y, disposition::none);
  note.payload = message("after");
  settle(*x, settled(y, disposition::restore));
  settle(*x, note);
  CAF_CHECK_EQUAL(w.unacknowledged(), 0u);
  CAF_CHECK_EQUAL(drain(w, "q"), (strings{"before"}));
}

// -- dead letters are taken -------------------------------------------------------

namespace {

void bury(broker& x, const std::string& id, const std::string& queue = "q") {
  auto s = settled(one_reserved(x, id));
  s.queue = queue_name{queue};
  auto marked = mark_redelivered(message(id, 9)).value();
  s.dead = dead_letter{"reason", marked};
  settle(x, s);
}

strings ids_of_dead(broker& x, const std::string& queue = "q") {
  strings result;
  for (auto& y : x.dead_letters(queue_name{queue}, 9).value())
    result.push_back(y.id);
  return result;
}

} // namespace

UMBEL_SCENARIO(queues_with_dead_letters_are_known) {
  auto x = w.connect("a@h");
  CAF_CHECK(x->dead_queues().value().empty());
  bury(*x, "1", "r");
  bury(*x, "2", "q");
  bury(*x, "3", "q");
  auto found = x->dead_queues().value();
  CAF_CHECK_EQUAL(found, (std::vector{queue_name{"q"}, queue_name{"r"}}));
}

UMBEL_SCENARIO(dead_letters_have_a_time_and_an_id_of_their_own) {
  auto x = w.connect("a@h");
  auto before = umbel::now() - 1s;
  for (auto id : {"1", "2", "2"})
    bury(*x, id);
  auto found = x->dead_letters(queue_name{"q"}, 9).value();
  CAF_REQUIRE_EQUAL(found.size(), 3u);
  CAF_CHECK(found[0].id != found[1].id && found[1].id != found[2].id);
  for (auto& y : found)
    CAF_CHECK(!y.id.empty() && y.at > before && y.at < umbel::now() + 1s);
}

UMBEL_SCENARIO(a_dead_letter_is_replayed_once_as_a_new_message) {
  auto x = w.connect("a@h");
  for (auto id : {"1", "2", "3"})
    bury(*x, id);
  auto ids = ids_of_dead(*x);
  const strings some{ids.at(0), ids.at(2), "no such letter"};
  auto taken = x->take_dead(queue_name{"q"}, some, dead_fate::replay).value();
  CAF_CHECK_EQUAL(taken, 2u);
  CAF_CHECK_EQUAL(ids_of_dead(*x), (strings{ids.at(1)}));
  CAF_CHECK_EQUAL(
    x->take_dead(queue_name{"q"}, some, dead_fate::replay).value(), 0u);
  auto back = reserve(*x);
  CAF_CHECK_EQUAL(ids_of(back), (strings{"1", "3"}));
  for (auto& y : back)
    CAF_CHECK(!is_redelivered(y.payload));
}

UMBEL_SCENARIO(dead_letters_are_discarded) {
  auto x = w.connect("a@h");
  for (auto id : {"1", "2"})
    bury(*x, id);
  auto ids = ids_of_dead(*x);
  CAF_CHECK_EQUAL(
    x->take_dead(queue_name{"q"}, ids, dead_fate::discard).value(), 2u);
  CAF_CHECK(ids_of_dead(*x).empty());
  CAF_CHECK(x->dead_queues().value().empty());
  CAF_CHECK(reserve(*x).empty());
}
