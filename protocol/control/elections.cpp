#include "protocol/control/elections.hpp"

#include <algorithm>
#include <utility>

namespace umbel {

elections::election& elections::at(const std::string& id, time_point now) {
  auto i = open_.find(id);
  if (i != open_.end())
    return i->second;
  std::erase_if(open_, [now](auto& x) {
    return now - x.second.begun > patience;
  });
  if (open_.size() >= open_max)
    open_.erase(std::ranges::min_element(open_, {}, [](auto& x) {
      return x.second.begun;
    }));
  auto& result = open_[id];
  result.begun = now;
  return result;
}

void elections::begin(const std::string& id, time_point now) {
  at(id, now).asked = true;
}

void elections::on_elect(const worker_event& x, time_point now) {
  auto& one = at(x.id, now);
  candidate stands{x.clock, x.hostname + '.' + std::to_string(x.pid), x.topic,
                   x.action};
  ++one.candidates;
  if (!one.best || stands.before(*one.best))
    one.best = std::move(stands);
}

std::optional<elections::outcome> elections::on_ack(const worker_event& x,
                                                    size_t others) {
  auto i = open_.find(x.id);
  if (i == open_.end() || !i->second.asked || !i->second.best)
    return {};
  if (++i->second.acks < std::max<size_t>(1, others))
    return {};
  auto& best = *i->second.best;
  outcome result{x.id, std::move(best.who), std::move(best.topic),
                 std::move(best.action)};
  open_.erase(i);
  return result;
}

size_t elections::candidates(const std::string& id) const {
  auto i = open_.find(id);
  return i != open_.end() ? i->second.candidates : 0;
}

} // namespace umbel
