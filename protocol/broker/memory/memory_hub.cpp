#include "protocol/broker/memory/memory_hub.hpp"

#include "protocol/backend/memory/result_table.hpp"
#include "protocol/broker/dead_letter.hpp"
#include "protocol/broker/fanout.hpp"
#include "protocol/broker/memory/memory_subscription.hpp"
#include "protocol/broker/priority.hpp"
#include "protocol/broker/queue_binding.hpp"
#include "protocol/message/envelope.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace umbel {

namespace {

using std::chrono::milliseconds;

// How long a tag's `none` settlement is known as carried out. A connection
// group that cannot resend within this time publishes follow-ups twice; a
// longer time costs memory for each task that was acknowledged early.
constexpr milliseconds resend_window = std::chrono::hours{1};

milliseconds system_now() {
  return std::chrono::duration_cast<milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

} // namespace

// -- life cycle ---------------------------------------------------------------

std::shared_ptr<memory_hub> memory_hub::of(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<memory_hub>> hubs;
  std::lock_guard guard{mutex};
  auto& hub = hubs[name];
  if (!hub)
    hub = std::make_shared<memory_hub>();
  return hub;
}

memory_hub::memory_hub() : now_(system_now) {
  // nop
}

// -- consuming ----------------------------------------------------------------

std::vector<delivery> memory_hub::reserve(memory_client& who, size_t max) {
  std::lock_guard guard{mutex_};
  auto result = reclaim(who);
  auto& names = who.options.queues;
  std::vector<message_queue*> queues;
  std::set<int> steps;
  for (auto& name : names) {
    auto& queue = queues_[name];
    queues.push_back(&queue);
    queue.add_steps(steps);
  }
  for (auto step : steps) {
    // One message of each queue in turn; the turn is kept between calls. The
    // step is finished when no queue had anything for a whole round.
    for (size_t idle = 0; idle < queues.size() && result.size() < max;) {
      auto turn = who.rotation++ % queues.size();
      if (!queues[turn]->has(step)) {
        ++idle;
        continue;
      }
      idle = 0;
      auto payload = queues[turn]->pop(step);
      auto sequence = who.next_sequence++;
      delivery_tag tag{who.owner + '/' + std::to_string(sequence)};
      result.push_back({tag, names[turn], payload});
      ledger_[std::move(tag)] = {who.owner, sequence,           names[turn],
                                 step,      std::move(payload), now_(),
                                 false};
    }
  }
  // What is reserved must belong to somebody whose death can be seen.
  if (auto i = leases_.find(who.owner);
      i == leases_.end() || i->second <= now_())
    extend_lease(who);
  return result;
}

std::vector<delivery> memory_hub::reclaim(memory_client& who) {
  std::vector<delivery> result;
  if (std::exchange(who.reclaimed, true))
    return result;
  std::map<uint64_t, const ledger::value_type*> lost;
  for (auto& kv : ledger_)
    if (kv.second.owner == who.owner && kv.second.sequence >= who.next_sequence)
      lost.emplace(kv.second.sequence, &kv);
  for (auto& [sequence, kv] : lost) {
    result.push_back({kv->first, kv->second.queue, kv->second.payload});
    who.next_sequence = sequence + 1;
  }
  return result;
}

void memory_hub::consume(memory_client& who, std::span<const queue_name> queues) {
  std::lock_guard guard{mutex_};
  who.options.queues.assign(queues.begin(), queues.end());
}

void memory_hub::wait(memory_client& who, milliseconds timeout) {
  std::unique_lock guard{mutex_};
  arrival_.wait_for(guard, timeout, [&] {
    return who.interrupted
           || std::any_of(who.options.queues.begin(), who.options.queues.end(),
                          [&](auto& x) { return queues_[x].size() > 0; });
  });
  who.interrupted = false;
}

void memory_hub::interrupt(memory_client& who) noexcept {
  std::lock_guard guard{mutex_};
  who.interrupted = true;
  arrival_.notify_all();
}

// -- settling -----------------------------------------------------------------

std::vector<bool> memory_hub::settle(const memory_client& who,
                                     std::span<const settlement> batch) {
  std::lock_guard guard{mutex_};
  std::vector<bool> result;
  result.reserve(batch.size());
  for (auto& x : batch)
    result.push_back(settle_one(who, x));
  return result;
}

bool memory_hub::settle_one(const memory_client& who, const settlement& x) {
  ledger::node_type node;
  if (x.how != disposition::none) {
    node = ledger_.extract(x.tag);
    if (node.empty())
      return false;
  } else if ((x.dead || !x.publish.empty()) && !first_time(x.tag)) {
    return false;
  }
  if (x.release)
    keys_.give_back(*x.release);
  if (x.result)
    who.results->store(*x.result, who.options.results.result_expires);
  for (auto& more : x.workflow.results)
    who.results->store(more, who.options.results.result_expires);
  for (auto& message : x.publish)
    put(who, message);
  if (x.dead)
    queues_[x.queue].park(*x.dead, ++last_dead_, who.options.dead_letters_max);
  if (node.empty()) {
    if (auto i = ledger_.find(x.tag); x.payload && i != ledger_.end())
      i->second.payload = *x.payload;
    return true;
  }
  if (x.payload)
    node.mapped().payload = *x.payload;
  if (x.how == disposition::delay)
    delay(x, std::move(node.mapped()));
  else if (x.how != disposition::ack)
    put_back(std::move(node.mapped()), x.how == disposition::restore);
  return true;
}

// Remembers the tag. Each tag is remembered once, so that the oldest are at the
// front.
bool memory_hub::first_time(const delivery_tag& tag) {
  auto now = now_();
  while (!published_at_.empty() && published_at_.front().first <= now) {
    published_.erase(published_at_.front().second);
    published_at_.pop_front();
  }
  if (!published_.insert(tag).second)
    return false;
  published_at_.emplace_back(now + resend_window, tag);
  return true;
}

std::vector<bool> memory_hub::owned(std::span<const delivery_tag> tags) {
  std::lock_guard guard{mutex_};
  std::vector<bool> result;
  result.reserve(tags.size());
  for (auto& tag : tags)
    result.push_back(ledger_.contains(tag));
  return result;
}

// -- the lease ----------------------------------------------------------------

void memory_hub::extend_lease(const memory_client& who) {
  leases_[who.owner] = now_() + who.options.lease;
}

void memory_hub::renew(const memory_client& who,
                       std::span<const delivery_tag> tags) {
  std::lock_guard guard{mutex_};
  extend_lease(who);
  for (auto& tag : tags)
    if (auto i = ledger_.find(tag); i != ledger_.end())
      i->second.since = now_();
}

void memory_hub::release(const memory_client& who) {
  std::lock_guard guard{mutex_};
  leases_.erase(who.owner);
}

// An owner that asks is alive, however late it renews.
bool memory_hub::is_dead(const std::string& owner, const memory_client& who,
                         milliseconds now) const {
  if (owner.empty() || owner == who.owner)
    return false;
  auto i = leases_.find(owner);
  return i == leases_.end() || i->second <= now;
}

recovery_report memory_hub::recover(const memory_client& who) {
  std::lock_guard guard{mutex_};
  recovery_report result;
  auto now = now_();
  std::set<std::string> dead;
  for (auto& [owner, expiry] : leases_)
    if (is_dead(owner, who, now))
      dead.insert(owner);
  // Of one owner the newest goes back first, so that the oldest, which is put
  // before it, is consumed first.
  std::vector<ledger::iterator> abandoned;
  for (auto i = ledger_.begin(); i != ledger_.end(); ++i) {
    auto& x = i->second;
    auto ownerless = is_dead(x.owner, who, now);
    if (ownerless)
      dead.insert(x.owner);
    if (x.delayed)
      continue; // `forward` is for these
    if (ownerless || x.since + who.options.visibility_timeout <= now)
      abandoned.push_back(i);
  }
  std::sort(abandoned.begin(), abandoned.end(), [](auto& a, auto& b) {
    return std::tie(a->second.owner, a->second.sequence)
           > std::tie(b->second.owner, b->second.sequence);
  });
  for (auto i : abandoned)
    put_back(std::move(ledger_.extract(i).mapped()), true);
  for (auto& owner : dead)
    leases_.erase(owner);
  result.restored = abandoned.size();
  for (auto& owner : dead)
    result.dead_owners.push_back(owner.substr(owner.rfind('/') + 1));
  return result;
}

// Both ways of going back are a second delivery, and are marked so. A payload
// that cannot be marked goes back as it is: who reserves it next finds out.
void memory_hub::put_back(entry x, bool next) {
  if (auto marked = mark_redelivered(x.payload))
    x.payload = std::move(*marked);
  auto& queue = queues_[x.queue];
  if (next)
    queue.push_front(x.step, std::move(x.payload));
  else
    queue.push_back(x.step, std::move(x.payload));
  arrival_.notify_all();
}

// -- delayed messages ---------------------------------------------------------

void memory_hub::delay(const settlement& x, entry what) {
  delivery_tag tag{"umbel.delayed/" + x.tag.str()};
  what.owner.clear();
  what.delayed = true;
  delayed_.emplace(
      std::chrono::ceil<milliseconds>(x.due.time_since_epoch()), tag);
  ledger_[std::move(tag)] = std::move(what);
}

forward_report memory_hub::forward() {
  std::lock_guard guard{mutex_};
  auto now = now_();
  auto end = delayed_.begin();
  while (end != delayed_.end() && end->first <= now)
    ++end;
  forward_report result;
  for (auto i = end; i != delayed_.begin();) {
    auto x = std::move(ledger_.extract((--i)->second).mapped());
    queues_[x.queue].push_front(x.step, std::move(x.payload));
    ++result.forwarded;
  }
  delayed_.erase(delayed_.begin(), end);
  if (result.forwarded > 0)
    arrival_.notify_all();
  result.next = broker::look_interval;
  if (!delayed_.empty())
    result.next = std::min(result.next, delayed_.begin()->first - now);
  return result;
}

std::vector<turn> memory_hub::take_turns(std::span<const turn_request> batch) {
  std::lock_guard guard{mutex_};
  return rates_.take(batch, timestamp{now_()});
}

// -- producing ----------------------------------------------------------------

void memory_hub::put(const memory_client& who, const outgoing_message& x) {
  if (auto way = broadcast_address(who.options, x.queue.str())) {
    for (auto& bound : bindings_[way->exchange])
      put(who, {bound.queue, x.priority, x.payload});
    return;
  }
  if (!x.exchange.empty()) {
    if (!x.queue.empty())
      bind_queue(who, x.queue);
    for (auto& queue : route(x.exchange, x.routing_key))
      put(who, {queue, x.priority, x.payload});
    return;
  }
  queues_[x.queue].push_back(step_of(who.options.priority_steps, x.priority),
                             x.payload);
  arrival_.notify_all();
}

void memory_hub::declare(const memory_client& who,
                         std::span<const queue_name> queues) {
  std::lock_guard guard{mutex_};
  for (auto& queue : queues)
    bind_queue(who, queue);
}

void memory_hub::bind_queue(const memory_client& who, const queue_name& queue) {
  if (broadcast_address(who.options, queue.str()))
    return;
  auto way = binding_of(who.options, queue.str());
  auto any = way.exchange_type == "fanout";
  const binding x{any ? "#" : way.routing_key,
                  any || way.exchange_type == "topic", queue};
  bind_unlocked(way.exchange, x);
}

/// A queue that is bound twice gets one copy.
std::set<queue_name> memory_hub::route(const std::string& exchange,
                                       const std::string& routing_key) const {
  if (exchange.empty())
    return {queue_name{routing_key}};
  std::set<queue_name> to;
  if (auto i = bindings_.find(exchange); i != bindings_.end())
    for (auto& x : i->second)
      if (x.matches(routing_key))
        to.insert(x.queue);
  return to;
}

void memory_hub::bind(const std::string& exchange, const binding& x) {
  std::lock_guard guard{mutex_};
  bind_unlocked(exchange, x);
}

void memory_hub::bind_unlocked(const std::string& exchange, const binding& x) {
  auto& bound = bindings_[exchange];
  if (std::find(bound.begin(), bound.end(), x) == bound.end())
    bound.push_back(x);
}

std::vector<std::string>
memory_hub::claim_keys(std::span<const key_claim> batch) {
  std::lock_guard guard{mutex_};
  std::vector<std::string> holders;
  for (auto& x : batch)
    holders.push_back(keys_.claim(x, now_()));
  return holders;
}

expected<void> memory_hub::publish(const memory_client& who,
                                   std::span<const outgoing_message> batch) {
  std::lock_guard guard{mutex_};
  expected<void> result;
  for (auto& x : batch) {
    auto terms = read_unique_terms(x.payload);
    auto holder = terms ? keys_.check_publishing(*terms, now_()) : std::string{};
    if (holder.empty())
      put(who, x);
    else if (holder != terms->id && result)
      result = error{errc::duplicate, describe_duplicate(*terms, holder)};
  }
  return result;
}

size_t memory_hub::publish(const memory_client& who,
                           const std::string& exchange,
                           const std::string& routing_key,
                           const std::string& payload, int priority) {
  std::lock_guard guard{mutex_};
  if (is_fanout(who.options, exchange))
    return spread(fanout_name(who.options, exchange, routing_key),
                  {exchange, payload});
  if (leads_to_mailboxes(exchange))
    return spread(mailbox_name(exchange, routing_key), {exchange, payload});
  auto queues = route(exchange, routing_key);
  for (auto& queue : queues)
    put(who, {queue, priority, payload});
  return queues.size();
}

void memory_hub::subscribe(const std::string& exchange,
                           const std::shared_ptr<memory_mailbox>& x) {
  std::lock_guard guard{mutex_};
  mailboxes_[exchange].push_back(x);
}

/// @returns how many have got it
size_t memory_hub::spread(const std::string& name, const broadcast& x) {
  auto found = mailboxes_.find(name);
  if (found == mailboxes_.end())
    return 0;
  size_t result = 0;
  std::erase_if(found->second, [&](auto& one) {
    auto mailbox = one.lock();
    if (!mailbox)
      return true;
    mailbox->put(x);
    ++result;
    return false;
  });
  if (found->second.empty())
    mailboxes_.erase(found);
  return result;
}

// -- looking ------------------------------------------------------------------

size_t memory_hub::size(const queue_name& queue) {
  std::lock_guard guard{mutex_};
  return queues_[queue].size();
}

std::vector<dead_letter> memory_hub::dead_letters(const queue_name& queue,
                                                  size_t max) {
  std::lock_guard guard{mutex_};
  return queues_[queue].parked(max);
}

void memory_hub::remember_revoked(std::span<const revoked_task> tasks) {
  std::lock_guard guard{mutex_};
  for (auto& x : tasks) {
    auto& time = revoked_[x.id];
    time = std::max(time, x.time);
  }
  using entry = decltype(revoked_)::value_type;
  while (revoked_.size() > broker::revoked_max)
    revoked_.erase(std::min_element(
      revoked_.begin(), revoked_.end(),
      [](const entry& a, const entry& b) { return a.second < b.second; }));
}

std::vector<revoked_task> memory_hub::revoked() {
  std::lock_guard guard{mutex_};
  std::vector<revoked_task> result;
  for (auto& [id, time] : revoked_)
    if (time >= umbel::now() - broker::revoked_for)
      result.push_back({id, time});
  std::stable_sort(result.begin(), result.end(),
                   [](auto& a, auto& b) { return a.time < b.time; });
  return result;
}

std::vector<queue_name> memory_hub::dead_queues() {
  std::lock_guard guard{mutex_};
  std::vector<queue_name> result;
  for (auto& [name, queue] : queues_)
    if (!queue.parked(1).empty())
      result.push_back(name);
  std::sort(result.begin(), result.end());
  return result;
}

size_t memory_hub::take_dead(const memory_client& who, const queue_name& queue,
                             std::span<const std::string> ids,
                             dead_fate fate) {
  std::lock_guard guard{mutex_};
  auto taken = queues_[queue].unpark(ids);
  if (fate == dead_fate::replay)
    for (auto i = taken.rbegin(); i != taken.rend(); ++i)
      put(who, replayed(queue, i->payload));
  return taken.size();
}

size_t memory_hub::purge(const queue_name& queue) {
  std::lock_guard guard{mutex_};
  return queues_[queue].clear();
}

size_t memory_hub::unacknowledged() {
  std::lock_guard guard{mutex_};
  return ledger_.size();
}

// -- for tests ----------------------------------------------------------------

void memory_hub::set_clock(clock now) {
  std::lock_guard guard{mutex_};
  now_ = std::move(now);
}

void memory_hub::plant(const delivery_tag& tag, const queue_name& queue,
                       int step, const std::string& payload, milliseconds age) {
  std::lock_guard guard{mutex_};
  ledger_[tag] = {{}, 0, queue, step, payload, now_() - age, false};
}

} // namespace umbel
