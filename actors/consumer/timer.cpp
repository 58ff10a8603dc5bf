#include "actors/consumer/timer.hpp"

#include <caf/all.hpp>

#include <algorithm>

namespace umbel {

namespace {

using wake_atom = caf::atom_constant<caf::atom("wake")>;

} // namespace

void timer_state::add(caf::actor from, const wake_at& x) {
  owner = std::move(from);
  auto earliest = entries.empty() || x.due < entries.top().first;
  entries.emplace(x.due, x.id);
  if (earliest)
    schedule();
}

void timer_state::wake() {
  woken result;
  auto t = now();
  while (!entries.empty() && entries.top().first <= t) {
    result.ids.push_back(entries.top().second);
    entries.pop();
  }
  if (!result.ids.empty())
    self->send(owner, std::move(result));
  if (!entries.empty())
    schedule();
}

void timer_state::schedule() {
  auto delay = std::clamp<timestamp::duration>(
    entries.top().first - now(), timestamp::duration{0}, sleep_max);
  self->delayed_send(self, delay, wake_atom::value, ++generation);
}

caf::behavior timer(caf::stateful_actor<timer_state>* self,
                    std::function<timestamp()> now) {
  self->state.self = self;
  self->state.now = std::move(now);
  return {
    [self](const wake_at& x) {
      self->state.add(
        caf::actor_cast<caf::actor>(self->current_sender()), x);
    },
    [self](describe_atom) {
      auto n = self->state.entries.size();
      return describe_self(self, std::to_string(n) + " wait for their time");
    },
    [self](wake_atom, uint64_t generation) {
      if (generation == self->state.generation)
        self->state.wake();
    },
  };
}

} // namespace umbel
