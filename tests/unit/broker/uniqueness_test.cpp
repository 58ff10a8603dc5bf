// Conformance: what is promised of unique tasks and of publishing once, by the
// brokers that keep keys.
#define CAF_SUITE uniqueness

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/worlds.hpp"

#include "protocol/message/task_message.hpp"
#include "protocol/message/uniqueness.hpp"

using namespace umbel;
using namespace umbel::test;

using strings = std::vector<std::string>;

namespace {

outgoing_message unique(const std::string& id, json::object headers,
                        const char* task = "t") {
  task_call call;
  call.task = task;
  call.id = id;
  call.headers = std::move(headers);
  return {queue_name{"q"}, 0, make_task_message(call)};
}

/// @returns who has it now
std::string claim(broker& x, const std::string& id) {
  const key_claim wanted{{"t/k", id}, 1min};
  return x.claim_keys({&wanted, 1}).value().at(0);
}

/// Ends a task, which gives its key back.
void end(broker& x, const delivery& d, const std::string& id) {
  settlement s;
  s.tag = d.tag;
  s.queue = d.queue;
  s.release = unique_key{"t/k", id};
  x.settle({&s, 1}).value();
}

} // namespace

UMBEL_SCENARIO(a_second_task_with_the_key_is_refused_until_it_is_given_back) {
  if (!keeps_unique_keys(w.url()))
    return;
  auto x = w.connect("a@h");
  auto first = unique("1", {{"unique_key", "k"}});
  auto second = unique("2", {{"unique_key", "k"}});
  x->publish({&first, 1}).value();
  auto refused = x->publish({&second, 1});
  CAF_REQUIRE(!refused);
  CAF_CHECK(refused.error().code == errc::duplicate);
  CAF_CHECK_EQUAL(refused.error().what, "task 1 has the unique key 't/k' already");
  x->publish({&first, 1}).value(); // its own key: a retry is no duplicate
  auto got = reserve(*x);
  CAF_CHECK_EQUAL(ids_of(got), (strings{"1", "1"}));
  CAF_CHECK_EQUAL(claim(*x, "1"), "1");
  CAF_CHECK_EQUAL(claim(*x, "2"), "1");
  end(*x, got[0], "2"); // not his
  CAF_CHECK(!x->publish({&second, 1}).has_value());
  end(*x, got[1], "1");
  x->publish({&second, 1}).value();
  CAF_CHECK_EQUAL(ids_of(reserve(*x)), (strings{"2"}));
}

UMBEL_SCENARIO(who_has_lost_a_task_does_not_give_its_key_back) {
  if (!keeps_unique_keys(w.url()))
    return;
  auto x = w.connect("a@h");
  auto first = unique("1", {{"unique_key", "k"}});
  x->publish({&first, 1}).value();
  auto got = reserve(*x);
  CAF_REQUIRE_EQUAL(got.size(), 1u);
  settlement back;
  back.tag = got[0].tag;
  back.queue = got[0].queue;
  back.how = disposition::restore;
  x->settle({&back, 1}).value();
  end(*x, got[0], "1");
  CAF_CHECK_EQUAL(claim(*x, "2"), "1");
  // One that was acknowledged early has its key until its end.
  got = reserve(*x);
  settlement early;
  early.tag = got[0].tag;
  early.queue = got[0].queue;
  x->settle({&early, 1}).value();
  CAF_CHECK_EQUAL(claim(*x, "2"), "1");
  early.how = disposition::none;
  early.release = unique_key{"t/k", "1"};
  x->settle({&early, 1}).value();
  CAF_CHECK_EQUAL(claim(*x, "2"), "2");
}

UMBEL_SCENARIO(where_no_keys_are_kept_a_claim_is_refused) {
  if (keeps_unique_keys(w.url()))
    return;
  const key_claim wanted{{"t/k", "1"}, 1min};
  auto refused = w.connect("a@h")->claim_keys({&wanted, 1});
  CAF_REQUIRE(!refused);
  CAF_CHECK(refused.error().code == errc::unsupported);
}

UMBEL_SCENARIO(other_keys_other_tasks_and_the_rest_of_a_batch_are_published) {
  if (!keeps_unique_keys(w.url()))
    return;
  auto x = w.connect("a@h");
  std::vector<outgoing_message> batch{unique("1", {{"unique_key", "k"}}),
                                      to("q", "2"),
                                      unique("3", {{"unique_key", "k"}}),
                                      unique("4", {{"unique_key", 4}}),
                                      unique("5", {{"unique_key", "k"}}, "u"),
                                      to("q", "6")};
  CAF_CHECK(!x->publish(batch).has_value());
  auto got = ids_of(reserve(*x));
  std::sort(got.begin(), got.end());
  CAF_CHECK_EQUAL(got, (strings{"1", "2", "4", "5", "6"}));
}

UMBEL_SCENARIO(a_key_is_free_when_its_time_has_passed) {
  if (!keeps_unique_keys(w.url()))
    return;
  auto x = w.connect("a@h");
  auto first = unique("1", {{"unique_key", "k"}, {"unique_for", 0.05}});
  auto second = unique("2", {{"unique_key", "k"}});
  x->publish({&first, 1}).value();
  CAF_CHECK(w.eventually([&] { return x->publish({&second, 1}).has_value(); }));
  CAF_CHECK_EQUAL(claim(*x, "3"), "2");
}

UMBEL_SCENARIO(the_same_id_is_published_once_if_asked) {
  if (!keeps_unique_keys(w.url()))
    return;
  auto x = w.connect("a@h");
  auto once = unique("1", {{"publish_once", 60}});
  auto briefly = unique("2", {{"publish_once", 0.05}});
  for (auto* message : {&once, &once, &briefly})
    x->publish({message, 1}).value();
  CAF_CHECK_EQUAL(ids_of(reserve(*x)), (strings{"1", "2"}));
  CAF_CHECK(w.eventually([&] {
    x->publish({&briefly, 1}).value();
    return !reserve(*x).empty();
  }));
  x->publish({&once, 1}).value();
  CAF_CHECK(reserve(*x).empty());
}

CAF_TEST(what headers say) {
  auto terms = [](json::object headers) {
    return read_unique_terms(
        unique("1", std::move(headers)).payload);
  };
  CAF_CHECK(!terms({}));
  CAF_CHECK(!terms({{"note", "unique_key"}}));
  CAF_CHECK(!terms({{"unique_key", nullptr}, {"publish_once", "soon"}}));
  auto x = terms({{"unique_key", "k"}, {"unique_for", "soon"}});
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(x->key, "t/k");
  CAF_CHECK_EQUAL(x->id, "1");
  CAF_CHECK(x->held_for == 1h);
  CAF_CHECK(!x->until_start);
  CAF_CHECK(x->once == 0ms);
  x = terms({{"unique_key", 7},
             {"unique_for", 1.5},
             {"unique_until", "start"},
             {"publish_once", 1e300}});
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(x->key, "t/7");
  CAF_CHECK(x->held_for == 1500ms);
  CAF_CHECK(x->until_start);
  CAF_CHECK(x->once == 366 * 24h);
  CAF_CHECK(!read_unique_terms(std::string_view{"unique_key, but no envelope"}));
}
