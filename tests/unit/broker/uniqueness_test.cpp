// Conformance: what is promised of unique tasks and of publishing once, by the
// brokers that keep keys.
#define CAF_SUITE uniqueness

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/worlds.hpp"

#include "protocol/broker/unique_locks.hpp"
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

std::unique_ptr<unique_locks> locks_of(const world& w) {
  return connect_unique_locks(w.url(), w.options("a@h")).value();
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
  CAF_CHECK_EQUAL(ids_of(reserve(*x)), (strings{"1", "1"}));
  auto locks = locks_of(w);
  CAF_CHECK_EQUAL(locks->claim("t/k", "1", 1min).value(), "1");
  CAF_CHECK_EQUAL(locks->claim("t/k", "2", 1min).value(), "1");
  locks->release("t/k", "2").value(); // not his
  CAF_CHECK(!x->publish({&second, 1}).has_value());
  locks->release("t/k", "1").value();
  x->publish({&second, 1}).value();
  CAF_CHECK_EQUAL(ids_of(reserve(*x)), (strings{"2"}));
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
  CAF_CHECK_EQUAL(locks_of(w)->claim("t/k", "3", 1min).value(), "2");
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
