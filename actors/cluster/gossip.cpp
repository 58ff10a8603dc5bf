#include "actors/cluster/gossip.hpp"

#include "actors/actor_now.hpp"
#include "actors/consumer/messages.hpp"
#include "protocol/control/elected_task.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace umbel {

namespace {

using tick_atom = caf::atom_constant<caf::atom("tick")>;
using look_atom = caf::atom_constant<caf::atom("look")>;
using patience_atom = caf::atom_constant<caf::atom("patience")>;

} // namespace

bool gossip_state::is_own(const worker_event& x) const {
  return x.hostname == options.node.str();
}

// -- what is heard --------------------------------------------------------------

void gossip_state::on_event(const worker_event& x) {
  using kind = worker_event::kind;
  options.clock->adjust(x.clock);
  switch (x.what) {
    case kind::online:
    case kind::heartbeat:
    case kind::offline:
      return on_membership(x);
    case kind::elect:
      return on_elect(x);
    case kind::elect_ack:
      return on_ack(x);
    case kind::other:
      break;
  }
}

void gossip_state::on_membership(const worker_event& x) {
  if (is_own(x))
    return;
  switch (members.hear(x, actor_now(self))) {
    case membership::change::joined:
      spdlog::debug("{} joined the party", x.hostname);
      break;
    case membership::change::left:
      spdlog::debug("{} left", x.hostname);
      break;
    case membership::change::replaced:
      spdlog::info("{} is another process now", x.hostname);
      heal();
      break;
    case membership::change::none:
      break;
  }
}

// -- who is silent --------------------------------------------------------------

void gossip_state::tick() {
  auto now = actor_now(self);
  if (last_tick && now - *last_tick > tick_interval + pause_min)
    members.excuse(now - *last_tick);
  last_tick = now;
  for (auto& name : members.lose(now)) {
    spdlog::info("missed heartbeat from {}", name);
    ++lost;
    heal();
  }
  if (now < healed_at) {
    auto rank = static_cast<int>(std::min<size_t>(
      members.rank(options.node.str()), size_t{turns_max / turn}));
    self->delayed_send(self, rank * turn, look_atom::value);
  }
  self->delayed_send(self, tick_interval, tick_atom::value);
}

void gossip_state::heal() {
  healed_at = actor_now(self) + options.lease + 2 * tick_interval;
}

// -- elections ------------------------------------------------------------------

void gossip_state::on_election(const begin_election& x) {
  votes.begin(x.id, actor_now(self));
  self->send(events, emit_event{"worker-elect",
                                elect_fields(x.id, x.topic, x.action), {}});
}

void gossip_state::on_elect(const worker_event& x) {
  votes.on_elect(x, actor_now(self));
  if (++unacknowledged[x.id] == 1)
    self->delayed_send(self, ack_patience, patience_atom::value, x.id);
  if (votes.candidates(x.id) > members.size())
    acknowledge(x.id);
  else if (unacknowledged.size() > elections::open_max)
    acknowledge(unacknowledged.begin()->first);
}

void gossip_state::acknowledge(const std::string& id) {
  auto node = unacknowledged.extract(id);
  if (node.empty())
    return;
  for (size_t i = 0; i < node.mapped(); ++i)
    self->send(events,
               emit_event{"worker-elect-ack", elect_ack_fields(node.key()), {}});
}

void gossip_state::on_ack(const worker_event& x) {
  auto end = votes.on_ack(x, members.size());
  if (!end)
    return;
  auto own = fmt::format("{}.{}", options.node.str(), options.pid);
  if (end->winner != own)
    return spdlog::info("node {} elected for {}", end->winner, end->id);
  spdlog::info("I won the election {}", end->id);
  win(*end);
}

void gossip_state::win(const elections::outcome& x) {
  if (x.topic != "task")
    return spdlog::error("Unknown election topic {}",
                         python_repr(json::value(x.topic), 40));
  canvas::origin from;
  from.node = options.node.str();
  from.routing = options.settings->routing.get();
  from.chords = options.settings->chords;
  from.form = options.settings->task_form;
  canvas::application made;
  if (auto done = apply_elected(made, x.action, from); !done)
    return spdlog::error("{}", done.error().what);
  self->send(writer,
             publish_tasks{std::move(made.publish), std::move(made.groups)});
}

std::string gossip_state::describe() const {
  return fmt::format("{} other nodes, {} lost so far, {} elections",
                     members.size(), lost, votes.open());
}

caf::behavior gossip(caf::stateful_actor<gossip_state>* self,
                     gossip_options options, caf::actor events,
                     caf::actor consumer, caf::actor writer) {
  auto& st = self->state;
  st.self = self;
  st.options = std::move(options);
  st.events = std::move(events);
  st.consumer = std::move(consumer);
  st.writer = std::move(writer);
  self->send(self, tick_atom::value);
  return {
    [self](const worker_heard& x) { self->state.on_event(x.event); },
    [self](const begin_election& x) { self->state.on_election(x); },
    [self](tick_atom) { self->state.tick(); },
    [self](look_atom) { self->send(self->state.consumer, recover_lost{}); },
    [self](patience_atom, const std::string& id) {
      self->state.acknowledge(id);
    },
    [self](describe_atom) {
      return describe_self(self, self->state.describe());
    },
  };
}

} // namespace umbel
