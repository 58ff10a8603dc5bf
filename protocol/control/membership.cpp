#include "protocol/control/membership.hpp"

#include <iterator>

namespace umbel {

membership::change membership::hear(const worker_event& x, time_point now) {
  using kind = worker_event::kind;
  auto i = members_.find(x.hostname);
  auto known = i != members_.end();
  if (x.what == kind::offline) {
    // The last word of a process whose successor is there already.
    if (!known || i->second.pid != x.pid)
      return change::none;
    members_.erase(i);
    return change::left;
  }
  if (x.what != kind::online && x.what != kind::heartbeat)
    return change::none;
  member said{x.pid, now + intervals_max * x.freq};
  if (!known) {
    if (members_.size() >= members_max)
      return change::none;
    members_.emplace(x.hostname, said);
    return change::joined;
  }
  auto same = i->second.pid == x.pid;
  i->second = said;
  return same ? change::none : change::replaced;
}

std::vector<std::string> membership::lose(time_point now) {
  std::vector<std::string> result;
  for (auto i = members_.begin(); i != members_.end();) {
    if (i->second.silent_at > now) {
      ++i;
      continue;
    }
    result.push_back(i->first);
    i = members_.erase(i);
  }
  return result;
}

void membership::excuse(std::chrono::steady_clock::duration pause) {
  for (auto& [name, x] : members_)
    x.silent_at += pause;
}

size_t membership::rank(const std::string& name) const {
  return static_cast<size_t>(
    std::distance(members_.begin(), members_.lower_bound(name)));
}

} // namespace umbel
