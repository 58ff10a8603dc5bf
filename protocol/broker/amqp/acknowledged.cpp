#include "protocol/broker/amqp/acknowledged.hpp"

#include <algorithm>

namespace umbel::amqp {

void acknowledged::add(uint64_t fingerprint, uint64_t sequence,
                       time_point now) {
  insert(fingerprint, {sequence, channel_, now});
}

void acknowledged::add_in_doubt(uint64_t fingerprint, uint64_t sequence,
                                time_point now) {
  insert(fingerprint, {sequence, channel_ - 1, now});
}

void acknowledged::on_channel_lost(time_point now) {
  ++channel_;
  std::erase_if(notes_,
                [&](auto& x) { return now - x.second.at > before; });
}

void acknowledged::on_channel_opened(time_point now) noexcept {
  opened_ = now;
}

bool acknowledged::take(uint64_t fingerprint, time_point now) {
  auto i = notes_.find(fingerprint);
  if (i == notes_.end())
    return false;
  auto in_doubt = i->second.channel < channel_ && now - opened_ <= after;
  notes_.erase(i);
  return in_doubt;
}

void acknowledged::forget(uint64_t fingerprint) {
  notes_.erase(fingerprint);
}

// Seldom, so that a search will do.
void acknowledged::forget_sequence(uint64_t sequence) {
  auto i = std::find_if(order_.rbegin(), order_.rend(),
                        [&](auto& x) { return x.second == sequence; });
  if (i == order_.rend())
    return;
  auto j = notes_.find(i->first);
  if (j != notes_.end() && j->second.sequence == sequence)
    notes_.erase(j);
}

void acknowledged::insert(uint64_t fingerprint, const note& x) {
  if (fingerprint == 0)
    return;
  notes_.insert_or_assign(fingerprint, x);
  order_.emplace_back(fingerprint, x.sequence);
  if (order_.size() <= most)
    return;
  auto [oldest, sequence] = order_.front();
  order_.pop_front();
  auto i = notes_.find(oldest);
  if (i != notes_.end() && i->second.sequence == sequence)
    notes_.erase(i);
}

} // namespace umbel::amqp
