#include "protocol/broker/redis/redis_broker.hpp"

#include "protocol/backend/redis/redis_result_store.hpp"
#include "protocol/broker/fanout.hpp"
#include "protocol/broker/redis/binding.hpp"
#include "protocol/broker/redis/scripts.hpp"

#include <algorithm>

namespace umbel {

using namespace redis;

namespace {

// Larger: fewer round trips, but Redis serves nobody else meanwhile.
constexpr size_t reserve_max = 1'000;
constexpr size_t tags_per_renewal = 500;
constexpr size_t messages_per_push = 500;

connection_options options_of_connection(const broker_options& x) {
  connection_options result;
  result.connect_timeout = x.connect_timeout;
  result.socket_timeout = x.socket_timeout;
  result.scripts = {&scripts::reserve, &scripts::settle,
                    &scripts::renew,   &scripts::stale,
                    &scripts::restore, &scripts::dead_owners,
                    &scripts::forward, &scripts::rate,
                    &scripts::take_dead};
  return result;
}

} // namespace

// -- constructors, destructors ------------------------------------------------

expected<std::unique_ptr<broker>>
connect_redis_broker(const std::string& url, const broker_options& options) {
  auto main = connection::open(url, options_of_connection(options));
  if (!main)
    return main.error();
  auto wake = wake_event::make();
  if (!wake)
    return wake.error();
  std::unique_ptr<broker> result =
      std::make_unique<redis_broker>(std::move(*main), std::move(*wake),
                                     options);
  return result;
}

redis_broker::redis_broker(std::unique_ptr<connection> main, wake_event wake,
                           const broker_options& options)
    : options_(options), keys_(options), main_(std::move(main)),
      wake_(std::move(wake)), result_prefix_(result_key_prefix(options.results)),
      group_prefix_(group_key_prefix(options.results)),
      tag_prefix_(options.node.str() + '/' + options.incarnation + '/'),
      next_sequence_(options.first_sequence) {
  name_lists();
  if (auto url = parse_url(options.result_url))
    if (auto results = to_address(*url))
      stores_results_ = main_->where().same_database(*results);
}

void redis_broker::name_lists() {
  lists_.clear();
  endings_.clear();
  std::vector<std::vector<std::string>> by_queue;
  for (auto& queue : options_.queues) {
    by_queue.push_back(keys_.lists(queue.str()));
    endings_.push_back(entry_ending(queue.str()));
  }
  for (size_t i = 0; !by_queue.empty() && i < by_queue.front().size(); ++i)
    for (auto& lists : by_queue)
      lists_.push_back(lists[i]);
}

std::string redis_broker::location() const {
  return main_->where().str();
}

bool redis_broker::stores_results() const {
  return stores_results_;
}

bool redis_broker::counts_chords() const {
  return stores_results_;
}

// -- consuming ----------------------------------------------------------------

delivery_tag redis_broker::tag(uint64_t sequence) const {
  return delivery_tag{tag_prefix_ + std::to_string(sequence)};
}

expected<void> redis_broker::listen() {
  if (listener_)
    return {};
  auto x = listener::open(*main_, options_of_connection(options_));
  if (!x)
    return x.error();
  listener_ = std::move(*x);
  return {};
}

expected<std::vector<delivery>> redis_broker::reserve(size_t max) {
  std::vector<delivery> result;
  while (!left_behind_.empty() && result.size() < max) {
    result.push_back(std::move(left_behind_.front()));
    left_behind_.pop_front();
  }
  drained_ = options_.queues.empty();
  if (!result.empty() || max == 0 || options_.queues.empty())
    return result;
  if (auto ok = listen(); !ok)
    return ok.error();
  auto& queues = options_.queues;
  max = std::min(max, reserve_max);
  pipeline commands;
  commands.begin(3 + lists_.size() + 13 + endings_.size());
  commands.arg("EVALSHA").arg(scripts::reserve.sha).arg(lists_.size());
  for (auto& list : lists_)
    commands.arg(list);
  commands.arg(keys_.unacked()).arg(keys_.unacked_index());
  commands.arg(keys_.lease(options_.incarnation)).arg(keys_.incarnations());
  commands.arg(options_.incarnation).arg(options_.node.str());
  commands.arg(static_cast<uint64_t>(options_.lease.count()));
  commands.arg(tag_prefix_).arg(next_sequence_).arg(max);
  commands.arg(first_queue_).arg(queues.size());
  commands.arg((looked_behind_ ? 0u : 1u) + (options_.lease_is_kept ? 2u : 0u));
  for (auto& ending : endings_)
    commands.arg(ending);
  auto replies = main_->check(commands, "reserve messages");
  if (!replies)
    return replies.error();
  auto groups = elements_of(*replies->front());
  if (groups.empty())
    return main_->broken(errc::unavailable, "reserve messages",
                         "an unexpected reply");
  looked_behind_ = true;
  first_queue_ = (first_queue_ + 1) % queues.size();
  take_left_behind(*groups[0], result, max);
  for (auto* group : groups.subspan(1)) {
    auto items = elements_of(*group);
    auto list = static_cast<size_t>(items[0]->integer) - 1;
    for (auto* item : items.subspan(1))
      result.push_back({tag(next_sequence_++), queues[list % queues.size()],
                        std::string{text_of(*item)}});
  }
  drained_ = result.size() < max;
  return result;
}

// What a predecessor of this connection reserved without reading the reply:
// offset and ledger entry, alternating.
void redis_broker::take_left_behind(const redisReply& pairs,
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

expected<void> redis_broker::wait(std::chrono::milliseconds timeout) {
  if (auto ok = listen(); !ok)
    return ok.error();
  // Otherwise the server was not asked to announce the next message.
  if (!drained_)
    return {};
  return listener_->wait(wake_, timeout);
}

expected<void> redis_broker::consume(std::span<const queue_name> queues) {
  options_.queues.assign(queues.begin(), queues.end());
  name_lists();
  first_queue_ = 0;
  drained_ = false; // the server announces nothing of new lists yet
  return {};
}

void redis_broker::interrupt() noexcept {
  wake_.signal();
}

// -- the lease ----------------------------------------------------------------

expected<std::vector<bool>>
redis_broker::owned(std::span<const delivery_tag> tags) {
  pipeline commands;
  for (auto& tag : tags)
    commands.add({"HEXISTS", keys_.unacked(), tag.str()});
  auto replies = main_->check(commands, "look up tags");
  if (!replies)
    return replies.error();
  std::vector<bool> result;
  for (auto& x : *replies)
    result.push_back(x->integer == 1);
  return result;
}

expected<void> redis_broker::renew(std::span<const delivery_tag> tags) {
  pipeline commands;
  do {
    auto some = tags.first(std::min(tags.size(), tags_per_renewal));
    tags = tags.subspan(some.size());
    commands.begin(9 + some.size());
    commands.arg("EVALSHA").arg(scripts::renew.sha).arg("3");
    commands.arg(keys_.lease(options_.incarnation)).arg(keys_.incarnations());
    commands.arg(keys_.unacked_index());
    commands.arg(options_.incarnation).arg(options_.node.str());
    commands.arg(static_cast<uint64_t>(options_.lease.count()));
    for (auto& tag : some)
      commands.arg(tag.str());
  } while (!tags.empty());
  auto replies = main_->check(commands, "renew the lease");
  if (!replies)
    return replies.error();
  lease_ = lease_state::held;
  for (auto& x : *replies)
    if (x->integer > 0)
      lease_ = x->integer == 1 ? lease_state::lapsed : lease_state::lost;
  return {};
}

lease_state redis_broker::lease() const {
  return lease_;
}

expected<void> redis_broker::release() {
  auto x = main_->command({"DEL", keys_.lease(options_.incarnation)},
                          "give up the lease");
  if (!x)
    return x.error();
  return {};
}

// -- producing ----------------------------------------------------------------

expected<void> redis_broker::declare(std::span<const queue_name> queues) {
  pipeline commands;
  for (auto& queue : queues)
    commands.add({"SADD", keys_.binding(queue.str()),
                  direct_binding(queue.str(), options_.sep)});
  auto replies = main_->check(commands, "declare queues");
  if (!replies)
    return replies.error();
  return {};
}

expected<void> redis_broker::publish(std::span<const outgoing_message> batch) {
  pipeline commands;
  for (size_t i = 0; i < batch.size();) {
    auto same = [&](const outgoing_message& x) {
      return x.queue == batch[i].queue && x.priority == batch[i].priority;
    };
    auto end = i + 1;
    while (end < batch.size() && end - i < messages_per_push
           && same(batch[end]))
      ++end;
    commands.begin(2 + end - i).arg("LPUSH");
    commands.arg(keys_.list(batch[i].queue.str(), batch[i].priority));
    for (; i < end; ++i)
      commands.arg(batch[i].payload);
  }
  auto replies = main_->check(commands, "publish messages");
  if (!replies)
    return replies.error();
  return {};
}

expected<std::vector<std::string>>
redis_broker::route(const std::string& exchange,
                    const std::string& routing_key) {
  auto members =
      main_->command({"SMEMBERS", keys_.binding(exchange)}, "look up bindings");
  if (!members)
    return members.error();
  std::vector<std::string_view> texts;
  for (auto* x : elements_of(**members))
    texts.push_back(text_of(*x));
  return redis::route(texts, options_.sep, routing_key);
}

expected<size_t> redis_broker::publish(const std::string& exchange,
                                       const std::string& routing_key,
                                       const std::string& payload,
                                       int priority) {
  if (is_fanout(exchange))
    return publish_fanout(exchange, routing_key, payload);
  std::vector<std::string> queues{routing_key};
  if (!exchange.empty()) {
    auto found = route(exchange, routing_key);
    if (!found)
      return found.error();
    queues = std::move(*found);
  }
  std::vector<outgoing_message> batch;
  for (auto& queue : queues)
    batch.push_back({queue_name{queue}, priority, payload});
  if (auto ok = publish(batch); !ok)
    return ok.error();
  return batch.size();
}

expected<size_t> redis_broker::publish_fanout(const std::string& exchange,
                                              const std::string& routing_key,
                                              const std::string& payload) {
  auto channel = keys_.fanout(main_->where().db, exchange, routing_key);
  auto x = main_->command({"PUBLISH", channel, payload}, "publish a message");
  if (!x)
    return x.error();
  return static_cast<size_t>((*x)->integer);
}

// -- looking ------------------------------------------------------------------

expected<size_t> redis_broker::size(const queue_name& queue) {
  pipeline commands;
  for (auto& list : keys_.lists(queue.str()))
    commands.add({"LLEN", list});
  auto replies = main_->check(commands, "look at a queue");
  if (!replies)
    return replies.error();
  size_t result = 0;
  for (auto& x : *replies)
    result += static_cast<size_t>(x->integer);
  return result;
}

expected<size_t> redis_broker::purge(const queue_name& queue) {
  auto lists = keys_.lists(queue.str());
  pipeline commands;
  commands.add({"MULTI"});
  for (auto& list : lists)
    commands.add({"LLEN", list});
  for (auto& list : lists)
    commands.add({"DEL", list});
  commands.add({"EXEC"});
  auto replies = main_->check(commands, "purge a queue");
  if (!replies)
    return replies.error();
  size_t result = 0;
  auto counts = elements_of(*replies->back());
  for (size_t i = 0; i < lists.size() && i < counts.size(); ++i)
    result += static_cast<size_t>(counts[i]->integer);
  return result;
}

} // namespace umbel
