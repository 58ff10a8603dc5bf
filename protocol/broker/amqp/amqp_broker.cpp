#include "protocol/broker/amqp/amqp_broker.hpp"

#include "protocol/broker/amqp/dead_letters.hpp"
#include "protocol/broker/dead_letter.hpp"
#include "protocol/broker/queue_binding.hpp"

#include <algorithm>

namespace umbel {

using namespace amqp;

// -- constructors, destructors ----------------------------------------------------

amqp_broker::amqp_broker(std::shared_ptr<feed> source, outlet own,
                         wake_event wake, const broker_options& options)
    : options_(options), feed_(std::move(source)), own_(std::move(own)),
      wake_(std::move(wake)) {
  // RabbitMQ ends a connection that nobody looks after, and gives to others what
  // came over it.
  own_.set_meanwhile([source = feed_] { source->serve(); });
}

expected<std::unique_ptr<broker>>
connect_amqp_broker(const std::string& url, const broker_options& options) {
  auto own = outlet::open(url, options);
  if (!own)
    return own.error();
  auto source = feed::of(url, options);
  if (!source)
    return source.error();
  auto wake = wake_event::make();
  if (!wake)
    return wake.error();
  return std::make_unique<amqp_broker>(std::move(*source), std::move(*own),
                                       std::move(*wake), options);
}

// -- consuming --------------------------------------------------------------------

std::string amqp_broker::location() const {
  return own_.location();
}

ownership amqp_broker::reserved_until() const {
  return {true, "RabbitMQ takes back what is not acknowledged within its "
                "consumer_timeout (30 minutes unless configured): they must end "
                "sooner, or that limit must be raised"};
}

expected<std::vector<delivery>> amqp_broker::reserve(size_t max) {
  if (!begun_) {
    if (auto done = feed_->begin(options_.first_sequence); !done)
      return done.error();
    if (auto done = declare(options_.queues); !done)
      return done.error();
    // Since the feed was made, queues may have come and gone.
    if (auto done = feed_->change(options_.queues); !done)
      return done.error();
    // A reader has no other use for it, and would not look after it.
    own_.close();
    begun_ = true;
  }
  return feed_->take(max);
}

expected<void> amqp_broker::wait(std::chrono::milliseconds timeout) {
  return feed_->wait(timeout, wake_);
}

expected<void> amqp_broker::pause() {
  return feed_->pause();
}

expected<void> amqp_broker::consume(std::span<const queue_name> queues) {
  options_.queues.assign(queues.begin(), queues.end());
  if (begun_) {
    auto done = declare(queues);
    own_.close();
    if (!done)
      return done;
  }
  return feed_->change(queues);
}

void amqp_broker::interrupt() noexcept {
  wake_.signal();
}

bool amqp_broker::stores_results() const {
  return false;
}

expected<std::vector<bool>>
amqp_broker::owned(std::span<const delivery_tag> tags) {
  std::vector<bool> result;
  for (auto& tag : tags)
    result.push_back(feed_->owns(tag));
  return result;
}

// -- the lease --------------------------------------------------------------------

// RabbitMQ holds the lease: the connection, kept alive by heartbeats. Both are
// looked after here, because the reader may have nothing to do with the feed's
// for long.
expected<void> amqp_broker::renew(std::span<const delivery_tag>) {
  feed_->serve();
  return own_.serve();
}

expected<void> amqp_broker::release() {
  feed_->close();
  for (auto& queue : options_.queues) {
    if (!is_own(options_, queue.str()))
      continue;
    if (auto link = own_.link(); !link)
      return link.error();
    if (auto done = own_.queues().remove(queue.str()); !done)
      return done;
  }
  return {};
}

expected<recovery_report> amqp_broker::recover() {
  return recovery_report{};
}

// What is delayed comes back by itself.
expected<forward_report> amqp_broker::forward() {
  return forward_report{0, std::chrono::hours{1}};
}

// RabbitMQ cannot count for all nodes: each counts for itself.
expected<std::vector<turn>>
amqp_broker::take_turns(std::span<const turn_request> batch) {
  return rates_.take(batch, now());
}

bool amqp_broker::shares_turns() const {
  return false;
}

bool amqp_broker::counts_listeners() const {
  return false;
}

// -- producing --------------------------------------------------------------------

expected<void> amqp_broker::declare(std::span<const queue_name> queues) {
  if (auto link = own_.link(); !link)
    return link.error();
  for (auto& queue : queues)
    if (auto done = own_.queues().declare(queue.str()); !done)
      return done;
  return {};
}

expected<void> amqp_broker::publish(std::span<const outgoing_message> batch) {
  if (auto link = own_.link(); !link)
    return link.error();
  plan to;
  for (auto& x : batch)
    if (auto done = add_to_queue(to, x); !done)
      return done;
  return own_.send(to.parcels);
}

expected<void> amqp_broker::send_replies(std::span<const outgoing_message> batch) {
  std::vector<parcel> parcels;
  for (auto& x : batch)
    parcels.push_back({"", x.queue.str(), x.payload, std::nullopt, false, {}});
  auto routed = own_.send_anywhere(parcels);
  if (!routed)
    return routed.error();
  return {}; // a queue that is gone takes with it whoever has waited there
}

expected<size_t> amqp_broker::publish(const std::string& exchange,
                                      const std::string& routing_key,
                                      const std::string& payload,
                                      int priority) {
  if (auto link = own_.link(); !link)
    return link.error();
  // Published to one that is not there, it would cost the channel.
  if (!exchange.empty())
    if (auto done = own_.queues().declare_exchange(exchange); !done)
      return done.error();
  parcel x{exchange, routing_key, payload, priority, false, {}};
  auto routed = own_.send_anywhere({&x, 1});
  if (!routed)
    return routed.error();
  return routed->front() ? 1u : 0u;
}

// -- looking ----------------------------------------------------------------------

expected<size_t> amqp_broker::size(const queue_name& queue) {
  if (auto link = own_.link(); !link)
    return link.error();
  auto waiting = own_.queues().size(queue.str());
  if (!waiting)
    return waiting.error();
  return waiting->value_or(0);
}

expected<std::vector<dead_letter>>
amqp_broker::dead_letters(const queue_name& queue, size_t max) {
  auto link = own_.link();
  if (!link)
    return link.error();
  return read_dead_letters(**link, queue.str(), max);
}

expected<size_t> amqp_broker::take_dead(const queue_name& queue,
                                        std::span<const std::string> ids,
                                        dead_fate fate) {
  auto link = own_.link();
  if (!link)
    return link.error();
  return take_dead_letters(
    **link, queue.str(), ids,
    [&](const std::vector<dead_letter>& letters) -> expected<void> {
      std::vector<outgoing_message> batch;
      if (fate == dead_fate::replay)
        for (auto& x : letters)
          batch.push_back(replayed(queue, x.payload));
      return publish(batch);
    });
}

expected<size_t> amqp_broker::purge(const queue_name& queue) {
  auto link = own_.link();
  if (!link)
    return link.error();
  auto& x = **link;
  if (auto done = x.open_side_channel(); !done)
    return done.error();
  auto* ok = amqp_queue_purge(x.handle(), side_channel, bytes(queue.str()));
  auto done = x.check_side(amqp_get_rpc_reply(x.handle()),
                           "purge queue " + queue.str());
  if (done)
    return static_cast<size_t>(ok->message_count);
  if (done.error().code == errc::not_found)
    return size_t{0};
  return done.error();
}

} // namespace umbel
