#include "actors/consumer/listener.hpp"

#include "actors/consumer/messages.hpp"
#include "actors/supervision/description.hpp"
#include "actors/supervision/supervision_errc.hpp"
#include "protocol/control/control_request.hpp"
#include "protocol/control/event.hpp"
#include "protocol/control/worker_event.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

namespace umbel {

namespace {

using listen_atom = caf::atom_constant<caf::atom("listen")>;

} // namespace

listener_state::~listener_state() {
  if (life)
    life->remove_listener(broadcasts.get());
}

void listener_state::connect() {
  auto& how = life->broadcasts;
  auto opened = subscribe(life->broker_url, life->options,
                          how.control_exchange, {}, how);
  if (!opened)
    return fail(opened.error());
  if (gossip && *opened)
    if (auto more = (*opened)->add(event_exchange, worker_events); !more)
      return fail(more.error());
  broadcasts = std::move(*opened);
  if (!broadcasts)
    return;
  life->add_listener(broadcasts.get());
  self->send(self, listen_atom::value);
}

void listener_state::listen() {
  auto payload = broadcasts->next(wait_max);
  if (!payload)
    return fail(payload.error());
  if (*payload)
    on_broadcast(**payload);
  if (!life->listening_ended())
    self->send(self, listen_atom::value);
}

void listener_state::on_broadcast(const std::string& payload) {
  auto x = parse_envelope(payload);
  if (!x)
    return spdlog::error("a broadcast cannot be read: {}", x.error().what);
  if (is_event(*x))
    on_event(*x);
  else
    on_command(payload);
}

void listener_state::on_command(const std::string& payload) {
  if (!control)
    return;
  auto request = parse_control_request(payload, life->content);
  if (!request) {
    spdlog::error("{}", request.error().what);
    return;
  }
  if (!request->is_for(life->options.node))
    return;
  caf::anon_send(control, control_command{std::move(*request)});
}

void listener_state::on_event(const envelope& x) {
  if (!gossip)
    return;
  auto event = parse_worker_event(x, life->events);
  if (!event)
    spdlog::error("{}", event.error().what);
  else if (event->what != worker_event::kind::other)
    caf::anon_send(gossip, worker_heard{std::move(*event)});
}

void listener_state::fail(const error& x) {
  self->quit(life->end_of_connection(x));
}

caf::behavior listener(caf::stateful_actor<listener_state>* self,
                       std::shared_ptr<incarnation> life, caf::actor control,
                       caf::actor gossip, caf::actor writer) {
  auto& st = self->state;
  st.self = self;
  st.life = std::move(life);
  st.control = std::move(control);
  st.gossip = std::move(gossip);
  self->send(writer, await_writer{});
  return {
    [self](const writer_up&) { self->state.connect(); },
    [self](listen_atom) { self->state.listen(); },
    [self](describe_atom) {
      return describe_self(self, self->state.broadcasts ? "listening"
                                                        : "not connected");
    },
  };
}

} // namespace umbel
