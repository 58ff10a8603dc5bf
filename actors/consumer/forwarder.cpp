#include "actors/consumer/forwarder.hpp"

#include <caf/all.hpp>

#include <algorithm>

namespace umbel {

namespace {

using look_atom = caf::atom_constant<caf::atom("look")>;

} // namespace

void forwarder_state::look() {
  looking = true;
  next = timestamp::max();
  self->send(writer, forward_due{});
}

void forwarder_state::on_forwarded(std::chrono::milliseconds wait) {
  looking = false;
  if (wait.count() == 0)
    return look();
  // What was delayed in the meantime may be due earlier.
  sleep_until(std::min(next, now() + std::max(wait, pause_min)));
}

void forwarder_state::on_delayed(timestamp due) {
  if (due >= next)
    return;
  if (looking)
    next = due;
  else
    sleep_until(due);
}

void forwarder_state::sleep_until(timestamp time) {
  next = time;
  auto delay = std::max<timestamp::duration>(time - now(), pause_min);
  self->delayed_send(self, delay, look_atom::value, ++generation);
}

caf::behavior forwarder(caf::stateful_actor<forwarder_state>* self,
                        caf::actor writer, std::function<timestamp()> now) {
  auto& st = self->state;
  st.self = self;
  st.writer = std::move(writer);
  st.now = std::move(now);
  self->send(st.writer, await_writer{});
  return {
    [self](const writer_up&) { self->state.look(); },
    [self](look_atom, uint64_t generation) {
      if (generation == self->state.generation)
        self->state.look();
    },
    [self](describe_atom) {
      auto& st = self->state;
      return describe_self(self, st.looking ? "looks for what is due"
                                            : "sleeps until something is due");
    },
    [self](forwarded x) { self->state.on_forwarded(x.next); },
    [self](delayed_until x) { self->state.on_delayed(x.due); },
  };
}

} // namespace umbel
