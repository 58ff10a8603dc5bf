#include "protocol/broker/redis/redis_broker.hpp"

#include "protocol/backend/redis/redis_result_store.hpp"
#include "protocol/broker/fanout.hpp"
#include "protocol/broker/queue_binding.hpp"
#include "protocol/broker/redis/binding.hpp"
#include "protocol/broker/redis/scripts.hpp"
#include "protocol/broker/redis/uniqueness.hpp"

#include <algorithm>

namespace umbel {

using namespace redis;

namespace {

constexpr size_t tags_per_renewal = 500;
constexpr size_t messages_per_push = 500;

} // namespace

connection_options redis::timeouts_of(const broker_options& x) {
  connection_options result;
  result.connect_timeout = x.connect_timeout;
  result.socket_timeout = x.socket_timeout;
  return result;
}

connection_options redis::connection_options_of(const broker_options& x) {
  auto result = timeouts_of(x);
  result.scripts = {&scripts::reserve, &scripts::supersede, &scripts::settle,
                    &scripts::renew,   &scripts::stale,
                    &scripts::restore, &scripts::dead_owners,
                    &scripts::forward, &scripts::rate,
                    &scripts::take_dead, &scripts::end_fanout,
                    &scripts::publish_once, &scripts::claim};
  return result;
}

bool redis::stores_results(const connection& where,
                           const broker_options& options) {
  auto url = parse_url(options.result_url);
  if (!url)
    return false;
  auto results = to_address(*url);
  return results && where.where().same_database(*results);
}

// -- constructors, destructors ------------------------------------------------

expected<std::unique_ptr<broker>>
connect_redis_broker(const std::string& url, const broker_options& options) {
  auto main = connection::open(url, connection_options_of(options));
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
      places_(options, main_->where().db), wake_(std::move(wake)),
      stores_results_(redis::stores_results(*main_, options)),
      reservation_(options, keys_), words_(options, places_) {
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

expected<void> redis_broker::listen() {
  if (listener_)
    return {};
  auto x = listener::open(*main_, connection_options_of(options_),
                          own_changes::announced);
  if (!x)
    return x.error();
  listener_ = std::move(*x);
  return {};
}

expected<std::vector<delivery>> redis_broker::reserve(size_t max) {
  drained_ = !reservation_.asks();
  if (auto known = reservation_.known(max))
    return std::move(*known);
  if (auto ok = listen(); !ok)
    return ok.error();
  max = std::min(max, reservation::most);
  pipeline commands;
  reservation_.call(commands, max, reservation::first_list::tracked);
  auto replies = main_->check(std::move(commands), reservation::doing);
  if (!replies)
    return replies.error();
  auto result = reservation_.read(*replies->front(), max);
  if (!result)
    return main_->broken(errc::unavailable, reservation::doing,
                         "an unexpected reply");
  drained_ = result->size() < max;
  return std::move(*result);
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
  reservation_.consume(queues);
  drained_ = false; // the server announces nothing of new lists yet
  return {};
}

void redis_broker::interrupt() noexcept {
  wake_.signal();
}

// -- settling -----------------------------------------------------------------

expected<std::vector<bool>>
redis_broker::settle(std::span<const settlement> batch) {
  if (!stores_results_ && std::any_of(batch.begin(), batch.end(), [](auto& x) {
        return x.result.has_value();
      }))
    return error{errc::unsupported, "the result store is not on " + location()
                                        + ": it cannot store with settling"};
  return redis::settling{words_, *main_, batch}.finish();
}

// -- the lease ----------------------------------------------------------------

expected<std::vector<bool>>
redis_broker::owned(std::span<const delivery_tag> tags) {
  pipeline commands;
  for (auto& tag : tags)
    commands.add({"HEXISTS", keys_.unacked(), tag.str()});
  auto replies = main_->check(std::move(commands), "look up tags");
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
  auto replies = main_->check(std::move(commands), "renew the lease");
  if (!replies)
    return replies.error();
  lease_ = lease_state::held;
  for (auto& x : *replies)
    if (x->integer > 0)
      lease_ = x->integer == 1 ? lease_state::lapsed : lease_state::lost;
  return keep_fanout();
}

lease_state redis_broker::lease() const {
  return lease_;
}

expected<void> redis_broker::release() {
  auto x = main_->command({"DEL", keys_.lease(options_.incarnation),
                           keys_.reader(options_.incarnation)},
                          "give up the lease");
  if (!x)
    return x.error();
  return end_fanout(options_.node.str(), options_.incarnation);
}

// -- producing ----------------------------------------------------------------

/// What goes through exchanges becomes messages for the queues that are bound now;
/// what is unique is sent to them all at once, and what is broadcast to all who listen.
/// @param duplicate says of which unique task there is another
expected<std::vector<outgoing_message>>
redis_broker::routed(std::span<const outgoing_message> batch,
                     std::optional<error>& duplicate) {
  std::vector<outgoing_message> to;
  for (auto& x : batch) {
    if (x.exchange.empty()) {
      to.push_back(x);
      continue;
    }
    auto all = places_.through(x.exchange, x.routing_key);
    std::vector<std::string> queues;
    if (!all) {
      if (!x.queue.empty())
        if (auto done = declare({&x.queue, 1}); !done)
          return done.error();
      auto bound = route(x.exchange, x.routing_key);
      if (!bound)
        return bound.error();
      queues = std::move(*bound);
    }
    if (auto terms = read_unique_terms(x.payload)) {
      std::vector<std::string> places;
      for (auto& queue : queues)
        places.push_back(keys_.list(queue, x.priority));
      if (all)
        places.push_back(std::move(*all));
      auto done = publish_checked(*main_, keys_, places, x.payload, *terms);
      if (!done && done.error().code != errc::duplicate)
        return done.error();
      if (!done && !duplicate)
        duplicate = done.error();
    } else if (all) {
      auto done = publish_fanout(x.exchange, x.routing_key, x.payload);
      if (!done)
        return done.error();
    } else {
      for (auto& queue : queues)
        to.push_back({queue_name{queue}, x.priority, x.payload});
    }
  }
  return to;
}

expected<void> redis_broker::publish(std::span<const outgoing_message> batch) {
  if (std::ranges::any_of(batch, [](auto& x) { return !x.exchange.empty(); })) {
    std::optional<error> duplicate;
    auto plain = routed(batch, duplicate);
    if (!plain)
      return plain.error();
    if (auto done = publish(*plain); !done || !duplicate)
      return done;
    return *duplicate;
  }
  pipeline commands;
  std::optional<error> duplicate;
  // What is broadcast goes to the queues of all nodes: unique it was when it was sent.
  auto terms_of = [this](const outgoing_message& x) {
    return is_own(options_, x.queue.str()) ? std::nullopt
                                           : read_unique_terms(x.payload);
  };
  for (size_t i = 0; i < batch.size();) {
    if (auto terms = terms_of(batch[i])) {
      auto& x = batch[i++];
      auto place = places_.of(x.queue, x.priority);
      auto done = publish_checked(*main_, keys_, {&place, 1}, x.payload, *terms);
      if (!done && done.error().code != errc::duplicate)
        return done;
      if (!done && !duplicate)
        duplicate = done.error();
      continue;
    }
    if (auto* channel = places_.channel(batch[i].queue)) {
      commands.add({"PUBLISH", *channel, batch[i++].payload});
      continue;
    }
    auto same = [&](const outgoing_message& x) {
      return x.queue == batch[i].queue && x.priority == batch[i].priority;
    };
    auto end = i + 1;
    while (end < batch.size() && end - i < messages_per_push
           && same(batch[end]) && !terms_of(batch[end]))
      ++end;
    commands.begin(2 + end - i).arg("LPUSH");
    commands.arg(keys_.list(batch[i].queue.str(), batch[i].priority));
    for (; i < end; ++i)
      commands.arg(batch[i].payload);
  }
  if (commands.size() > 0)
    if (auto replies = main_->check(std::move(commands), "publish messages");
        !replies)
      return replies.error();
  if (duplicate)
    return *duplicate;
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
  if (is_fanout(options_, exchange))
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
  auto replies = main_->check(std::move(commands), "look at a queue");
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
  auto replies = main_->check(std::move(commands), "purge a queue");
  if (!replies)
    return replies.error();
  size_t result = 0;
  auto counts = elements_of(*replies->back());
  for (size_t i = 0; i < lists.size() && i < counts.size(); ++i)
    result += static_cast<size_t>(counts[i]->integer);
  return result;
}

} // namespace umbel
