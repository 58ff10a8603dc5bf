#include "protocol/broker/redis/reservation.hpp"

#include "protocol/broker/redis/entry.hpp"
#include "protocol/broker/redis/scripts.hpp"

#include <algorithm>
#include <utility>

namespace umbel::redis {

namespace {

/// After so many seconds a wait ends if nobody has ended it: the server does not wait
/// for ever for who has gone without its noticing.
constexpr auto wait_max = "30";

} // namespace

reservation::reservation(const broker_options& options, const keys& names,
                         std::string reader)
    : keys_(names), reader_key_(names.reader(options.incarnation)),
      reader_(std::move(reader)),
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

void reservation::call(pipeline& to, size_t max, first_list x) const {
  std::span<const std::string> tracked = lists_;
  std::string_view awaited;
  if (x == first_list::awaited) {
    awaited = lists_.front();
    tracked = tracked.subspan(1);
  }
  to.begin(3 + tracked.size() + 16 + endings_.size());
  to.arg("EVALSHA").arg(scripts::reserve.sha).arg(tracked.size());
  for (auto& list : tracked)
    to.arg(list);
  for (auto& constant : constants_)
    to.arg(constant);
  to.arg(next_sequence_).arg(std::min(max, most));
  to.arg(first_queue_).arg(queues_.size());
  to.arg((looked_behind_ ? 0u : 1u) + (lease_is_kept_ ? 2u : 0u));
  to.arg(awaited).arg(reader_key_).arg(reader_);
  for (auto& ending : endings_)
    to.arg(ending);
}

void reservation::wait(pipeline& to) const {
  auto& list = lists_.front();
  to.add({"BLMOVE", list, list, "RIGHT", "RIGHT", wait_max});
}

std::optional<std::vector<delivery>>
reservation::read(const redisReply& answer, size_t max) {
  auto items = elements_of(answer);
  if (items.empty())
    return std::nullopt;
  std::vector<delivery> result;
  looked_behind_ = true;
  first_queue_ = (first_queue_ + 1) % queues_.size();
  auto take = [&items](size_t n) {
    auto taken = items.first(std::min(n, items.size()));
    items = items.subspan(taken.size());
    return taken;
  };
  auto number = [&take] {
    return static_cast<size_t>(take(1).front()->integer);
  };
  take_left_behind(take(number()), result, max);
  while (items.size() >= 2) {
    auto list = number() - 1;
    auto& queue = queues_[list % queues_.size()];
    for (auto* item : take(number()))
      result.push_back(
          {tag(next_sequence_++), queue, std::string{text_of(*item)}});
  }
  return result;
}

delivery_tag reservation::tag(uint64_t sequence) const {
  return delivery_tag{tag_prefix_ + std::to_string(sequence)};
}

// What a predecessor of this connection reserved without reading the reply:
// offset and ledger entry, alternating.
void reservation::take_left_behind(std::span<redisReply* const> items,
                                   std::vector<delivery>& result, size_t max) {
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
