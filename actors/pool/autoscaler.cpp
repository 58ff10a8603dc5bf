#include "actors/pool/autoscaler.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>

namespace umbel {

namespace {

using idle_atom = caf::atom_constant<caf::atom("idle")>;

} // namespace

size_t autoscaler_state::wanted() const {
  return std::clamp(last.busy + last.waiting, options.min, options.max);
}

void autoscaler_state::on_load(const pool_load& x) {
  last = x;
  auto size = wanted();
  if (size > x.size) {
    spdlog::info("Scaling up from {} to {}: {} busy, {} waiting", x.size, size,
                 x.busy, x.waiting);
    self->send(pool, resize_pool{size});
  }
  if (size >= x.size) {
    idle_time = 0;
    return;
  }
  if (idle_time == 0) {
    idle_time = ++last_idle_time;
    most_wanted = size;
    self->delayed_send(self, options.keepalive, idle_atom::value, idle_time);
  }
  most_wanted = std::max(most_wanted, size);
}

void autoscaler_state::on_idle(uint64_t number) {
  if (number != idle_time)
    return;
  // The most that was wanted in this time stays; the next time may be calmer.
  spdlog::info("Scaling down from {} to {}: {} busy, {} waiting", last.size,
               most_wanted, last.busy, last.waiting);
  self->send(pool, resize_pool{most_wanted});
  last.size = most_wanted;
  idle_time = 0;
  on_load(last);
}

caf::behavior autoscaler(caf::stateful_actor<autoscaler_state>* self,
                         autoscaler_options options, caf::actor pool) {
  auto& st = self->state;
  st.self = self;
  st.options = options;
  st.pool = std::move(pool);
  self->send(st.pool, attach_autoscaler{self});
  return {
    [self](const pool_load& x) { self->state.on_load(x); },
    [self](idle_atom, uint64_t number) { self->state.on_idle(number); },
  };
}

} // namespace umbel
