#include "actors/pool/roster.hpp"

namespace umbel {

void roster::add_member(child_id id) {
  children_.emplace(id, child{});
  ++members_;
}

void roster::add_successor(child_id id, child_id of) {
  child x;
  x.as = role::successor;
  x.partner = of;
  children_.emplace(id, std::move(x));
  children_.at(of).partner = id;
}

std::optional<roster::child_id> roster::next_vacancy() const {
  if (children_.size() >= 2 * members_ + spare)
    return std::nullopt;
  for (auto& [id, x] : children_)
    if (x.as == role::member && x.wants_successor && x.partner == 0)
      return id;
  return std::nullopt;
}

std::optional<roster::child_id> roster::hand_over(child_id id) {
  auto& from = children_.at(id);
  if (from.as != role::member || from.due.empty() || from.partner == 0)
    return std::nullopt;
  auto heir = from.partner;
  auto& to = children_.at(heir);
  if (!to.ready)
    return std::nullopt;
  to.as = role::member;
  to.partner = 0;
  from.as = role::leaving;
  from.partner = 0;
  return heir;
}

std::optional<roster::child_id> roster::retire(child_id id) {
  auto& x = children_.at(id);
  if (x.as == role::member)
    --members_;
  x.as = role::leaving;
  if (x.partner == 0)
    return std::nullopt;
  auto partner = x.partner;
  x.partner = 0;
  children_.at(partner).partner = 0;
  children_.at(partner).as = role::leaving;
  return partner;
}

roster::departure roster::remove(child_id id) {
  auto node = children_.extract(id);
  departure result{std::move(node.mapped()), std::nullopt};
  auto& x = result.last;
  if (x.partner != 0) {
    auto& partner = children_.at(x.partner);
    partner.partner = 0;
    if (x.as == role::member) {
      partner.as = role::member;
      result.heir = x.partner;
      return result;
    }
  }
  if (x.as == role::member)
    --members_;
  return result;
}

} // namespace umbel
