// Settling on RabbitMQ: everything that follows from a batch of settlements is
// published and confirmed first, then the deliveries are acknowledged. If the
// worker ends in between, RabbitMQ gives the message to somebody again: a
// follow-up may come twice, but none is lost.
#include "protocol/broker/amqp/amqp_broker.hpp"
#include "protocol/broker/amqp/dead_letters.hpp"
#include "protocol/broker/amqp/delay.hpp"
#include "protocol/broker/publishes.hpp"
#include "protocol/broker/queue_binding.hpp"

#include <algorithm>

namespace umbel {

using namespace amqp;

expected<std::vector<bool>>
amqp_broker::settle(std::span<const settlement> batch) {
  if (std::any_of(batch.begin(), batch.end(),
                  [](auto& x) {
                    return x.result.has_value() || !x.workflow.results.empty();
                  }))
    return error{errc::unsupported,
                 "settle on " + location()
                   + ": results belong into another store, which has to get "
                     "them first"};
  // RabbitMQ may take nothing in: what only ends goes on.
  if (std::any_of(batch.begin(), batch.end(), publishes))
    if (auto link = own_.link(); !link)
      return link.error();
  auto todo = plan_for(batch);
  if (!todo)
    return todo.error();
  if (auto done = own_.send(todo->parcels); !done)
    return done.error();
  for (auto tag : todo->followed)
    feed_->remember(delivery_tag{std::string{tag}});
  feed_->settle(todo->verdicts);
  return std::move(todo->effects);
}

expected<amqp_broker::plan>
amqp_broker::plan_for(std::span<const settlement> batch) {
  plan result;
  result.payloads.reserve(batch.size()); // parcels point at them
  for (auto& x : batch)
    if (auto done = add(result, x); !done)
      return done.error();
  return result;
}

expected<void> amqp_broker::add(plan& to, const settlement& x) {
  if (x.how == disposition::ack && x.publish.empty() && !x.dead)
    feed_->finish(x.tag);
  auto fine = true;
  if (x.how != disposition::none) {
    fine = feed_->owns(x.tag) && to.settled.insert(x.tag.str()).second;
  } else if (publishes(x)) {
    // Not remembered before it is published: what failed is sent again.
    fine = !feed_->remembers(x.tag) && to.followed.insert(x.tag.str()).second;
  }
  to.effects.push_back(fine);
  if (!fine)
    return {};
  for (auto& message : x.publish)
    if (auto done = add_to_queue(to, message); !done)
      return done;
  if (x.dead)
    if (auto done = add_dead_letter(to, x); !done)
      return done;
  auto what = x.dead ? verdict::reject : verdict::ack;
  switch (x.how) {
    case disposition::none:
      return {};
    case disposition::restore:
      what = verdict::nack;
      break;
    case disposition::requeue: {
      what = verdict::moved;
      auto payload = x.payload ? *x.payload
                               : feed_->payload(x.tag).value_or("");
      auto marked = mark_redelivered(payload);
      if (!marked) // no envelope
        marked = std::move(payload);
      to.payloads.push_back(std::move(*marked));
      to.parcels.push_back({"", x.queue.str(), to.payloads.back(),
                            std::nullopt, false, {}});
      break;
    }
    case disposition::delay: {
      what = verdict::moved;
      auto payload = x.payload ? *x.payload
                               : feed_->payload(x.tag).value_or("");
      if (auto done = add_delay(to, x, std::move(payload)); !done)
        return done;
      break;
    }
    case disposition::ack:
      break;
  }
  to.verdicts.emplace_back(x.tag, what);
  return {};
}

expected<void> amqp_broker::add_dead_letter(plan& to, const settlement& x) {
  if (auto done = own_.queues().declare_dead(x.queue.str()); !done)
    return done;
  to.parcels.push_back({"", dead_queue(x.queue.str()), x.dead->payload,
                        std::nullopt, true, x.dead->reason});
  return {};
}

expected<void> amqp_broker::add_delay(plan& to, const settlement& x,
                                      std::string payload) {
  if (auto done = own_.queues().declare_delay(x.queue.str()); !done)
    return done;
  // A little early: what is left, the worker waits for. But not at once, or it
  // would come and go without end.
  using std::chrono::floor, std::chrono::seconds;
  auto left = floor<seconds>(x.due - now()).count();
  auto delay = std::clamp<int64_t>(left, 1, delay_max);
  to.payloads.push_back(std::move(payload));
  to.parcels.push_back({delay_level(delay_levels - 1),
                        delay_key(delay, x.queue.str()), to.payloads.back(),
                        x.priority, true, {}});
  return {};
}

expected<void> amqp_broker::add_to_queue(plan& to, const outgoing_message& x) {
  if (!x.exchange.empty())
    return add_to_exchange(to, x);
  if (auto done = own_.queues().declare(x.queue.str()); !done)
    return done;
  if (auto way = broadcast_address(options_, x.queue.str()))
    to.parcels.push_back({way->exchange, way->routing_key, x.payload, x.priority,
                          false, {}, true});
  else
    to.parcels.push_back({"", x.queue.str(), x.payload, x.priority, false, {}});
  return {};
}

/// What goes through an exchange may reach nobody, as with Celery. Published to one that
/// is not there, it would cost the channel.
expected<void> amqp_broker::add_to_exchange(plan& to,
                                            const outgoing_message& x) {
  if (!x.queue.empty())
    if (auto done = own_.queues().declare(x.queue.str()); !done)
      return done;
  auto there = own_.queues().declare_exchange(x.exchange);
  if (!there && there.error().code == errc::not_found) {
    options_.tell("a message was for the exchange '" + x.exchange
                  + "', which is not there; it is lost");
    return {};
  }
  if (!there)
    return there;
  to.parcels.push_back({x.exchange, x.routing_key, x.payload, x.priority, false,
                        {}, true});
  return {};
}

} // namespace umbel
