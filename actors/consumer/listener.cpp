#include "actors/consumer/listener.hpp"

#include "actors/consumer/messages.hpp"
#include "actors/supervision/description.hpp"
#include "actors/supervision/supervision_errc.hpp"
#include "protocol/broker/queue_binding.hpp"
#include "protocol/control/control_request.hpp"
#include "protocol/control/worker_event.hpp"
#include "protocol/message/envelope.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <utility>

namespace umbel {

namespace {

using listen_atom = caf::atom_constant<caf::atom("listen")>;

} // namespace

/// Where the broker has no queues of fanout exchanges.
std::vector<broadcast_route> broadcast_routes(const incarnation& life) {
  std::vector<broadcast_route> result;
  if (fanout_needs_subscriber(life.broker_url))
    for (auto& queue : life.options.queues)
      if (is_own(life.options, queue.str()))
        result.push_back({binding_of(life.options, queue.str()).exchange,
                          queue.str()});
  return result;
}

listener_state::~listener_state() {
  if (life)
    life->remove_listener(broadcasts.get());
}

void listener_state::connect() {
  auto opened = open();
  if (!opened)
    return fail(opened.error());
  broadcasts = std::move(*opened);
  self->send(consumer, listener_up{});
  if (!broadcasts)
    return;
  life->add_listener(broadcasts.get());
  self->send(self, listen_atom::value);
}

/// @returns null where nothing is broadcast
expected<std::unique_ptr<subscription>> listener_state::open() const {
  auto& how = life->broadcasts;
  std::vector<std::pair<std::string, std::string>> wanted; // exchange, pattern
  if (control)
    wanted.emplace_back(how.control_exchange, "");
  if (gossip)
    wanted.emplace_back(life->options.event_exchange, worker_events);
  for (auto& x : tasks)
    for (auto pattern : {"", "#"})
      wanted.emplace_back(x.exchange, pattern);
  std::unique_ptr<subscription> result;
  for (auto& [exchange, pattern] : wanted) {
    if (result) {
      if (auto more = result->add(exchange, pattern); !more)
        return more.error();
      continue;
    }
    auto first = subscribe(life->broker_url, life->options, exchange, pattern, how);
    if (!first || !*first)
      return first;
    result = std::move(*first);
  }
  return result;
}

void listener_state::listen() {
  auto heard = broadcasts->next(wait_max);
  if (!heard)
    return fail(heard.error());
  if (*heard)
    on_broadcast(std::move(**heard));
  if (!life->listening_ended())
    self->send(self, listen_atom::value);
}

void listener_state::on_broadcast(broadcast x) {
  if (x.exchange == life->broadcasts.control_exchange)
    on_command(x.payload);
  else if (x.exchange == life->options.event_exchange)
    on_event(x.payload);
  else
    on_tasks(std::move(x));
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

void listener_state::on_event(const std::string& payload) {
  if (!gossip)
    return;
  auto x = parse_envelope(payload);
  auto event = x ? parse_worker_event(*x, life->events) : x.error();
  if (!event)
    spdlog::error("{}", event.error().what);
  else if (event->what != worker_event::kind::other)
    caf::anon_send(gossip, worker_heard{std::move(*event)});
}

void listener_state::on_tasks(broadcast x) {
  auto priority = priority_of(x.payload);
  for (auto& route : tasks)
    if (route.exchange == x.exchange
        && life->queues->consumes(queue_name{route.queue}))
      self->send(writer, publish_message{"", route.queue, x.payload, priority});
}

void listener_state::fail(const error& x) {
  self->quit(life->end_of_connection(x));
}

caf::behavior listener(caf::stateful_actor<listener_state>* self,
                       std::shared_ptr<incarnation> life, caf::actor consumer,
                       caf::actor control, caf::actor gossip,
                       caf::actor writer) {
  auto& st = self->state;
  st.self = self;
  st.life = std::move(life);
  st.consumer = std::move(consumer);
  st.control = std::move(control);
  st.gossip = std::move(gossip);
  st.writer = std::move(writer);
  st.tasks = broadcast_routes(*st.life);
  self->send(st.writer, await_writer{});
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
