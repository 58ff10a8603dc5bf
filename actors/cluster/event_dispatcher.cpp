#include "actors/cluster/event_dispatcher.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace umbel {

namespace {

using flush_atom = caf::atom_constant<caf::atom("flush")>;
using finish_atom = caf::atom_constant<caf::atom("finish")>;

} // namespace

void event_dispatcher_state::on_event(const emit_event& x) {
  auto time = x.time.value_or(options.now());
  if (x.type.starts_with("task-") && !x.own) {
    if (!*options.task_events)
      return;
    batch += batch.empty() ? "[" : ", ";
    append_event(batch, x.type, x.fields, options.source, time,
                 options.clock->forward());
    // The message to itself comes after all events that wait in the mailbox.
    if (++batch_size == 1)
      self->send(self, flush_atom::value);
    if (batch_size == batch_max)
      close_batch();
    return;
  }
  if (offline && !x.own)
    return;
  offline = offline || (x.type == "worker-offline" && !x.own);
  close_batch();
  std::string body;
  append_event(body, x.type, x.fields, options.source, time,
               options.clock->forward());
  add(event_routing_key(x.type), std::move(body));
}

void event_dispatcher_state::close_batch() {
  if (batch_size == 0)
    return;
  batch += "]";
  batch_size = 0;
  add("task.multi", std::exchange(batch, {}));
}

void event_dispatcher_state::add(std::string routing_key, std::string body) {
  auto payload = make_event_message(std::move(body), routing_key,
                                    options.source);
  waiting.push_back({options.source.exchange, std::move(routing_key),
                     std::move(payload)});
  if (waiting.size() > waiting_max + under_way) {
    if (dropped++ % waiting_max == 0)
      spdlog::warn("events come faster than the broker takes them: {} messages "
                   "are lost, the oldest first",
                   dropped);
    waiting.erase(waiting.begin() + static_cast<ptrdiff_t>(under_way));
  }
  publish();
}

void event_dispatcher_state::publish() {
  if (!publisher || under_way > 0 || waiting.empty())
    return;
  under_way = std::min(waiting.size(), ahead_max);
  auto first = waiting.begin();
  auto last = first + static_cast<ptrdiff_t>(under_way);
  self->send(publisher, publish_events{{first, last}, ++number});
}

void event_dispatcher_state::on_published(uint64_t what) {
  if (under_way == 0 || what != number)
    return; // it was sent again since, to the next publisher
  auto first = waiting.begin();
  waiting.erase(first, first + static_cast<ptrdiff_t>(under_way));
  sent += std::exchange(under_way, 0);
  publish();
  if (waiting.empty())
    finish();
}

void event_dispatcher_state::on_finish(caf::actor whom) {
  waits_for_end = std::move(whom);
  close_batch();
  if (!publisher || waiting.empty())
    return finish();
  self->delayed_send(self, farewell_max, finish_atom::value);
}

void event_dispatcher_state::finish() {
  if (auto whom = std::exchange(waits_for_end, nullptr))
    self->send(whom, events_finished{});
}

bool event_dispatcher_state::on_switch(bool on) {
  if (*options.task_events == on)
    return false;
  if (!on)
    close_batch();
  *options.task_events = on;
  spdlog::info("Events of group task {} by remote.", on ? "enabled"
                                                        : "disabled");
  return true;
}

void event_dispatcher_state::on_publisher(caf::actor x) {
  publisher = std::move(x);
  under_way = 0; // what was under way is said again
  if (!publisher)
    return finish();
  self->monitor(publisher);
  publish();
}

std::string event_dispatcher_state::describe() const {
  return fmt::format("task events {}, {} messages sent, {} wait, {} lost",
                     *options.task_events ? "on" : "off", sent, waiting.size(),
                     dropped);
}

caf::behavior event_dispatcher(
  caf::stateful_actor<event_dispatcher_state>* self, event_options options) {
  auto& st = self->state;
  st.self = self;
  st.options = std::move(options);
  self->set_down_handler([self](caf::down_msg& x) {
    if (self->state.publisher == x.source)
      self->state.on_publisher(nullptr);
  });
  return {
    [self](const emit_event& x) { self->state.on_event(x); },
    [self](flush_atom) { self->state.close_batch(); },
    [self](const publisher_up& x) { self->state.on_publisher(x.publisher); },
    [self](events_published x) { self->state.on_published(x.number); },
    [self](finish_events) {
      self->state.on_finish(
        caf::actor_cast<caf::actor>(self->current_sender()));
    },
    [self](finish_atom) { self->state.finish(); },
    [self](switch_task_events x) {
      return task_events_switched{self->state.on_switch(x.on)};
    },
    [self](describe_atom) {
      return describe_self(self, self->state.describe());
    },
  };
}

} // namespace umbel
