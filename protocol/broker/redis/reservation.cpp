#include "protocol/broker/redis/reservation.hpp"

#include "protocol/broker/redis/entry.hpp"
#include "protocol/broker/redis/scripts.hpp"

#include <algorithm>

namespace umbel::redis {

reservation::reservation(const broker_options& options, const keys& names)
    : keys_(names),
      tag_prefix_(options.node.str() + '/' + options.incarnation + '/'),
      next_sequence_(options.first_sequence),
      lease_is_kept_(options.lease_is_kept) {
  consume(options.queues);
  constants_ = {names.unacked(),
                names.unacked_index(),
                names.lease(options.incarnation),
                names.incarnations(),
                options.incarnation,
                options.node.str(),
                std::to_string(options.lease.count()),
                tag_prefix_};
}

void reservation::consume(std::span<const queue_name> queues) {
  queues_.assign(queues.begin(), queues.end());
  lists_.clear();
  endings_.clear();
  first_queue_ = 0;
  std::vector<std::vector<std::string>> by_queue;
  for (auto& queue : queues_) {
    by_queue.push_back(keys_.lists(queue.str()));
    endings_.push_back(entry_ending(queue.str()));
  }
  for (size_t i = 0; !by_queue.empty() && i < by_queue.front().size(); ++i)
    for (auto& lists : by_queue)
      lists_.push_back(lists[i]);
}

std::optional<std::vector<delivery>> reservation::known(size_t max) {
  std::vector<delivery> result;
  while (!left_behind_.empty() && result.size() < max) {
    result.push_back(std::move(left_behind_.front()));
    left_behind_.pop_front();
  }
  if (result.empty() && max > 0 && !queues_.empty())
    return std::nullopt;
  return result;
}

pipeline reservation::commands(size_t max) const {
  pipeline result;
  result.begin(3 + lists_.size() + 13 + endings_.size());
  result.arg("EVALSHA").arg(scripts::reserve.sha).arg(lists_.size());
  for (auto& list : lists_)
    result.arg(list);
  for (auto& x : constants_)
    result.arg(x);
  result.arg(next_sequence_).arg(std::min(max, most));
  result.arg(first_queue_).arg(queues_.size());
  result.arg((looked_behind_ ? 0u : 1u) + (lease_is_kept_ ? 2u : 0u));
  for (auto& ending : endings_)
    result.arg(ending);
  return result;
}

std::optional<std::vector<delivery>>
reservation::read(const redisReply& answer, size_t max) {
  auto groups = elements_of(answer);
  if (groups.empty())
    return std::nullopt;
  std::vector<delivery> result;
  looked_behind_ = true;
  first_queue_ = (first_queue_ + 1) % queues_.size();
  take_left_behind(*groups[0], result, max);
  for (auto* group : groups.subspan(1)) {
    auto items = elements_of(*group);
    auto list = static_cast<size_t>(items[0]->integer) - 1;
    for (auto* item : items.subspan(1))
      result.push_back({tag(next_sequence_++), queues_[list % queues_.size()],
                        std::string{text_of(*item)}});
  }
  return result;
}

delivery_tag reservation::tag(uint64_t sequence) const {
  return delivery_tag{tag_prefix_ + std::to_string(sequence)};
}

// What a predecessor of this connection reserved without reading the reply:
// offset and ledger entry, alternating.
void reservation::take_left_behind(const redisReply& pairs,
                                   std::vector<delivery>& result, size_t max) {
  auto items = elements_of(pairs);
  auto first = next_sequence_;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    auto sequence = first + static_cast<uint64_t>(items[i]->integer);
    next_sequence_ = sequence + 1;
    auto found = split_entry(text_of(*items[i + 1]));
    if (!found)
      continue;
    delivery x{tag(sequence), queue_name{found->routing_key},
               std::string{found->payload}};
    if (result.size() < max)
      result.push_back(std::move(x));
    else
      left_behind_.push_back(std::move(x));
  }
}

} // namespace umbel::redis
