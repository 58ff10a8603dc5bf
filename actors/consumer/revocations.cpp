#include "actors/consumer/revocations.hpp"

namespace umbel {

void revocations::add(const task_id& id, timestamp when) {
  auto [i, fresh] = times_.try_emplace(id.str(), when);
  if (!fresh) {
    by_age_.erase({i->second, i->first});
    i->second = when;
  }
  by_age_.emplace(when, id.str());
  if (times_.size() > limits_.max)
    make_room(when);
}

std::vector<std::pair<std::string, timestamp>> revocations::by_age() const {
  std::vector<std::pair<std::string, timestamp>> result;
  for (auto& [time, id] : by_age_)
    result.emplace_back(id, time);
  return result;
}

void revocations::make_room(timestamp now) {
  while (times_.size() > limits_.max
         || (!by_age_.empty()
             && by_age_.begin()->first + limits_.expires <= now)) {
    times_.erase(by_age_.begin()->second);
    by_age_.erase(by_age_.begin());
  }
}

} // namespace umbel
