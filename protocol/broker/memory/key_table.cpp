#include "protocol/broker/memory/key_table.hpp"

namespace umbel {

void key_table::forget_expired(time_point now) {
  std::erase_if(keys_, [now](auto& x) { return x.second.until <= now; });
  std::erase_if(published_, [now](auto& x) { return x.second <= now; });
}

std::string key_table::claim(const key_claim& x, time_point now) {
  forget_expired(now);
  holder wanted{x.wanted.id, now + x.held_for};
  return keys_.try_emplace(x.wanted.key, std::move(wanted)).first->second.id;
}

void key_table::give_back(const unique_key& x) {
  if (auto i = keys_.find(x.key); i != keys_.end() && i->second.id == x.id)
    keys_.erase(i);
}

std::string key_table::check_publishing(const unique_terms& x, time_point now) {
  forget_expired(now);
  if (x.once.count() > 0 && published_.contains(x.id))
    return x.id;
  if (!x.key.empty()) {
    auto [i, is_new] = keys_.try_emplace(x.key);
    if (!is_new && i->second.id != x.id)
      return i->second.id;
    i->second = {x.id, now + x.held_for};
  }
  if (x.once.count() > 0)
    published_[x.id] = now + x.once;
  return {};
}

} // namespace umbel
