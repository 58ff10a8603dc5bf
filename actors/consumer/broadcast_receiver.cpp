#include "actors/consumer/broadcast_receiver.hpp"

#include "actors/cluster/messages.hpp"
#include "actors/consumer/messages.hpp"
#include "actors/supervision/description.hpp"
#include "protocol/message/envelope.hpp"

#include <caf/all.hpp>

namespace umbel {

namespace {

using listen_atom = caf::atom_constant<caf::atom("listen")>;

} // namespace

broadcast_receiver_state::~broadcast_receiver_state() {
  if (life)
    life->remove_listener(broadcasts.get());
}

void broadcast_receiver_state::connect() {
  auto opened = subscribe(life->broker_url, life->options, route.exchange);
  if (!opened)
    return fail(opened.error());
  if (auto keys = (*opened)->add(route.exchange, "#"); !keys)
    return fail(keys.error());
  broadcasts = std::move(*opened);
  life->add_listener(broadcasts.get());
  self->send(self, listen_atom::value);
}

void broadcast_receiver_state::listen() {
  auto payload = broadcasts->next(wait_max);
  if (!payload)
    return fail(payload.error());
  if (*payload) {
    auto priority = priority_of(**payload);
    self->send(writer, publish_message{"", route.queue, std::move(**payload),
                                       priority});
  }
  if (!life->listening_ended())
    self->send(self, listen_atom::value);
}

void broadcast_receiver_state::fail(const error& x) {
  self->quit(life->end_of_connection(x));
}

caf::behavior
broadcast_receiver(caf::stateful_actor<broadcast_receiver_state>* self,
                   std::shared_ptr<incarnation> life, broadcast_route route,
                   caf::actor writer) {
  auto& st = self->state;
  st.self = self;
  st.life = std::move(life);
  st.route = std::move(route);
  st.writer = std::move(writer);
  self->send(st.writer, await_writer{});
  return {
    [self](const writer_up&) { self->state.connect(); },
    [self](listen_atom) { self->state.listen(); },
    [self](describe_atom) {
      auto& st = self->state;
      return describe_self(self, st.broadcasts
                                   ? "listening to " + st.route.exchange
                                   : std::string{"not connected"});
    },
  };
}

} // namespace umbel
