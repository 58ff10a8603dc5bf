// Conformance: what was revoked is kept for workers that start later.
#define CAF_SUITE revoked

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/worlds.hpp"

using namespace umbel;
using namespace umbel::test;

namespace {

revoked_task revoked_at(const std::string& id, timestamp time) {
  return {task_id{id}, time};
}

std::vector<std::string> ids(broker& x) {
  std::vector<std::string> result;
  for (auto& y : x.revoked().value())
    result.push_back(y.id.str());
  return result;
}

using strings = std::vector<std::string>;

/// Files that kombu knows have no place for it.
bool keeps(const world& w) {
  return !w.url().starts_with("filesystem:");
}

} // namespace

UMBEL_SCENARIO(what_was_revoked_is_known_to_others_the_oldest_first) {
  if (!keeps(w))
    return;
  auto x = w.connect("a@h");
  CAF_CHECK(ids(*x).empty());
  auto t = umbel::now();
  std::vector xs{revoked_at("second \"id\"", t), revoked_at("first", t - 5s)};
  CAF_CHECK(x->remember_revoked(xs).has_value());
  auto other = w.connect("b@h");
  CAF_CHECK_EQUAL(ids(*other), (strings{"first", "second \"id\""}));
  auto found = other->revoked().value();
  CAF_CHECK(found.at(0).time == t - 5s && found.at(1).time == t);
}

UMBEL_SCENARIO(the_later_time_of_a_revocation_counts) {
  if (!keeps(w))
    return;
  auto x = w.connect("a@h");
  auto t = umbel::now();
  for (auto time : {t - 5s, t, t - 9s}) {
    auto one = revoked_at("1", time);
    x->remember_revoked({&one, 1}).value();
  }
  auto found = x->revoked().value();
  CAF_REQUIRE_EQUAL(found.size(), 1u);
  CAF_CHECK(found[0].time == t);
}

UMBEL_SCENARIO(revocations_are_forgotten_after_a_week) {
  if (!keeps(w))
    return;
  auto x = w.connect("a@h");
  auto t = umbel::now();
  std::vector xs{revoked_at("old", t - broker::revoked_for - 1min),
                 revoked_at("new", t)};
  x->remember_revoked(xs).value();
  CAF_CHECK_EQUAL(ids(*x), (strings{"new"}));
}

UMBEL_SCENARIO(the_oldest_of_too_many_revocations_are_forgotten) {
  if (!keeps(w))
    return;
  auto x = w.connect("a@h");
  auto t = umbel::now();
  std::vector<revoked_task> xs;
  for (size_t i = 0; i <= broker::revoked_max; ++i)
    xs.push_back(revoked_at(std::to_string(i), t + std::chrono::microseconds(i)));
  x->remember_revoked(xs).value();
  auto found = ids(*x);
  CAF_CHECK(found.size() <= broker::revoked_max);
  CAF_CHECK_EQUAL(found.back(), std::to_string(broker::revoked_max));
}

UMBEL_SCENARIO(nothing_revoked_is_nothing) {
  auto x = w.connect("a@h");
  CAF_CHECK(x->remember_revoked({}).has_value());
  CAF_CHECK(x->revoked().value().empty());
}
