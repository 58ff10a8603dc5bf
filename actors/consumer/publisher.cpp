#include "actors/consumer/publisher.hpp"

#include "protocol/broker/amqp/address.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <utility>

namespace umbel {

namespace {

using settle_atom = caf::atom_constant<caf::atom("settle")>;

} // namespace

bool may_block(const std::string& broker_url) {
  return amqp::is_amqp(broker_url.substr(0, broker_url.find("://")));
}

expected<void> publish_or_log(broker& connection, const publish_message& x) {
  auto done = connection.publish(x.exchange, x.routing_key, x.payload,
                                 x.priority);
  if (done)
    return {};
  auto why = done.error();
  if (why.code == errc::unavailable || why.code == errc::timeout)
    return why;
  spdlog::error("cannot publish to the exchange {}: {}", x.exchange, why.what);
  return {};
}

/// @returns whether there is a connection
bool publisher_state::connect() {
  if (connection)
    return true;
  auto opened = connect_broker(life->broker_url, life->options);
  if (!opened) {
    self->quit(life->end_of_attempt(opened.error()));
    return false;
  }
  connection = std::move(*opened);
  return true;
}

void publisher_state::add(const settle_elsewhere& x, caf::actor whom) {
  orders.push_back({x, std::move(whom)});
  // The message to itself queues up behind all that already wait in the mailbox:
  // they share one wait for the broker's confirms.
  if (orders.size() == 1)
    self->send(self, settle_atom::value);
}

void publisher_state::settle() {
  if (!connect())
    return;
  std::vector<settlement> all;
  for (auto& x : orders)
    all.insert(all.end(), x.what.batch->begin(), x.what.batch->end());
  auto effects = connection->settle(all);
  if (!effects)
    return fail(effects.error());
  auto first = effects->begin();
  for (auto& x : orders) {
    auto last = first + static_cast<ptrdiff_t>(x.what.batch->size());
    self->send(x.whom, settled_elsewhere{{first, last}});
    first = last;
  }
  orders.clear();
}

bool publisher_state::publish(const publish_message& x) {
  if (!connect())
    return false;
  auto done = publish_or_log(*connection, x);
  if (!done)
    fail(done.error());
  return done.has_value();
}

void publisher_state::publish(const publish_events& x, const caf::actor& whom) {
  for (auto& message : x.messages)
    if (!publish(message))
      return;
  self->send(whom, events_published{x.number});
}

void publisher_state::look_after() {
  if (!connection)
    return;
  if (auto done = connection->renew({}); !done)
    fail(done.error());
}

void publisher_state::fail(const error& x) {
  connection.reset();
  self->quit(life->end_of_connection(x));
}

std::string publisher_state::describe() const {
  return connection ? connection->location() : std::string{"not connected"};
}

caf::behavior publisher(caf::stateful_actor<publisher_state>* self,
                        std::shared_ptr<incarnation> life) {
  auto& st = self->state;
  st.self = self;
  st.life = std::move(life);
  auto sender = [self] {
    return caf::actor_cast<caf::actor>(self->current_sender());
  };
  return {
    [self, sender](const settle_elsewhere& x) {
      self->state.add(x, sender());
    },
    [self](settle_atom) { self->state.settle(); },
    [self](const publish_message& x) { self->state.publish(x); },
    [self, sender](const publish_events& x) {
      self->state.publish(x, sender());
    },
    [self](look_after) { self->state.look_after(); },
    [self](describe_atom) {
      return describe_self(self, self->state.describe());
    },
  };
}

} // namespace umbel
