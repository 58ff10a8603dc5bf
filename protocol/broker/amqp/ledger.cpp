#include "protocol/broker/amqp/ledger.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace umbel::amqp {

// -- channels ---------------------------------------------------------------------

void ledger::on_channel_lost(time_point now) {
  for (auto& [number, x] : open_)
    if (x.handed_out && x.fingerprint != 0
        && doubts_.emplace(x.fingerprint, x.sequence).second)
      in_doubt_.emplace(x.sequence, std::move(x));
  open_.clear();
  returned_.clear();
  base_ += last_;
  last_ = 0;
  acknowledged_.on_channel_lost(now);
}

std::vector<uint64_t> ledger::on_reader(uint64_t first_sequence,
                                        bool has_channel) {
  while (!in_doubt_.empty() && in_doubt_.rbegin()->first >= first_sequence)
    let_go(in_doubt_.rbegin()->first);
  std::vector<uint64_t> result;
  if (!has_channel) {
    base_ = std::max(base_ + last_, first_sequence - 1);
    last_ = 0;
    return result;
  }
  for (auto& [number, x] : open_)
    if (x.handed_out && x.sequence >= first_sequence)
      result.push_back(number);
  return result;
}

// -- deliveries -------------------------------------------------------------------

ledger::arrival ledger::on_arrival(uint64_t number, uint64_t fingerprint,
                                   bool redelivered, time_point now) {
  last_ = number;
  if (fingerprint == 0)
    return arrival::fresh;
  if (!redelivered) {
    acknowledged_.forget(fingerprint);
    return arrival::fresh;
  }
  if (auto i = doubts_.find(fingerprint); i != doubts_.end()) {
    auto old = in_doubt_.extract(i->second);
    doubts_.erase(i);
    returned_.emplace(old.key(), number);
    open_.emplace_hint(open_.end(), number, std::move(old.mapped()));
    return arrival::in_hand;
  }
  if (!acknowledged_.take(fingerprint, now))
    return arrival::fresh;
  // It is acknowledged again, and that may be lost as well.
  acknowledged_.add(fingerprint, base_ + number, now);
  return arrival::done;
}

void ledger::add(uint64_t number, entry x) {
  x.sequence = base_ + number;
  open_.emplace_hint(open_.end(), number, std::move(x));
}

const std::string& ledger::hand_out(uint64_t number) {
  auto& x = open_.at(number);
  x.handed_out = true;
  return x.payload;
}

std::string ledger::tag(uint64_t number) const {
  return tag_prefix_ + std::to_string(base_ + number);
}

const ledger::entry* ledger::claim(const delivery_tag& x) {
  if (auto number = number_of(x))
    return &open_.at(*number);
  if (auto sequence = sequence_of(x))
    let_go(*sequence);
  return nullptr;
}

void ledger::finish(const delivery_tag& x, time_point now) {
  auto sequence = sequence_of(x);
  auto i = in_doubt_.find(sequence.value_or(0));
  if (i == in_doubt_.end())
    return;
  acknowledged_.add_in_doubt(i->second.fingerprint, *sequence, now);
  let_go(*sequence);
}

std::optional<uint64_t> ledger::number_of(const delivery_tag& x) const {
  auto sequence = sequence_of(x);
  return sequence ? find(*sequence) : std::nullopt;
}

void ledger::forget(const delivery_tag& x) {
  if (auto sequence = sequence_of(x))
    acknowledged_.forget_sequence(*sequence);
}

std::vector<ledger::frame> ledger::settle(verdicts what, time_point now) {
  std::vector<frame> result;
  while (!what.empty()) {
    auto first = what.begin();
    auto [number, how] = *first;
    auto last = first;
    auto begin = open_.find(number);
    auto end = begin;
    // As far as ledger and verdicts go together and say the same.
    if (begin == open_.begin())
      for (auto i = first; i != what.end() && end != open_.end()
                           && i->first == end->first && i->second == how;
           ++i, ++end)
        last = i;
    else
      ++end;
    result.push_back({last->first, how, last != first});
    remove(begin, end, how, now);
    what.erase(first, std::next(last));
  }
  return result;
}

// -- parts ------------------------------------------------------------------------

std::optional<uint64_t> ledger::sequence_of(const delivery_tag& x) const {
  std::string_view text{x.str()};
  uint64_t result = 0;
  if (!text.starts_with(tag_prefix_))
    return std::nullopt;
  text.remove_prefix(tag_prefix_.size());
  auto [end, ec]
    = std::from_chars(text.data(), text.data() + text.size(), result);
  if (ec != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return result;
}

std::optional<uint64_t> ledger::find(uint64_t sequence) const {
  if (auto i = returned_.find(sequence); i != returned_.end())
    return i->second;
  if (sequence <= base_)
    return std::nullopt;
  auto i = open_.find(sequence - base_);
  // What has come back is known by its old tag alone.
  if (i == open_.end() || !i->second.handed_out
      || i->second.sequence != sequence)
    return std::nullopt;
  return i->first;
}

void ledger::let_go(uint64_t sequence) {
  auto i = in_doubt_.find(sequence);
  if (i == in_doubt_.end())
    return;
  doubts_.erase(i->second.fingerprint);
  in_doubt_.erase(i);
}

void ledger::remove(entries::iterator begin, entries::iterator end,
                    verdict what, time_point now) {
  for (auto i = begin; i != end; ++i) {
    auto& x = i->second;
    returned_.erase(x.sequence);
    if (what == verdict::ack)
      acknowledged_.add(x.fingerprint, x.sequence, now);
  }
  open_.erase(begin, end);
}

} // namespace umbel::amqp
