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
  kept_.clear();
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
  auto is_first = [this](uint64_t number) { // of all that RabbitMQ knows of
    return open_.begin()->first == number
           && (kept_.empty() || kept_.begin()->first > number);
  };
  for (auto i = what.begin(); i != what.end();) {
    auto [number, how] = *i;
    // Not what was moved: should the connection be lost first, both it and what was
    // published anew would run.
    if (how == verdict::ack) {
      remove(open_.find(number), how, now);
      kept_.emplace(number, now);
      ++i;
      continue;
    }
    add_run(result);
    frame x{number, how, false};
    auto run = is_first(number);
    remove(open_.find(number), how, now);
    // As far as ledger and verdicts go together and say the same.
    while (++i != what.end() && run && i->second == how && is_first(i->first)) {
      x = {i->first, how, true};
      remove(open_.begin(), how, now);
    }
    result.push_back(x);
  }
  add_run(result);
  return result;
}

std::vector<ledger::frame> ledger::overdue(time_point now, size_t most) {
  std::vector<frame> result;
  auto all = kept_.size() > most;
  std::erase_if(kept_, [&](auto& x) {
    auto sent = all || now - x.second >= keep_max;
    if (sent)
      result.push_back({x.first, verdict::ack, false});
    return sent;
  });
  return result;
}

std::optional<ledger::time_point> ledger::due() const {
  if (kept_.empty())
    return std::nullopt;
  auto first = std::min_element(
    kept_.begin(), kept_.end(),
    [](auto& x, auto& y) { return x.second < y.second; });
  return first->second + keep_max;
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

void ledger::remove(entries::iterator i, verdict what, time_point now) {
  auto& x = i->second;
  returned_.erase(x.sequence);
  if (what == verdict::ack)
    acknowledged_.add(x.fingerprint, x.sequence, now);
  open_.erase(i);
}

/// What is kept and has nothing open before it.
void ledger::add_run(std::vector<frame>& to) {
  auto end = open_.empty() ? kept_.end()
                           : kept_.lower_bound(open_.begin()->first);
  if (end == kept_.begin())
    return;
  auto last = std::prev(end);
  to.push_back({last->first, verdict::ack, last != kept_.begin()});
  kept_.erase(kept_.begin(), end);
}

} // namespace umbel::amqp
