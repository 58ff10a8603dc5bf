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

void autoscaler_state::resize(size_t size) {
  ordered = size;
  self->send(pool, resize_pool{size, options.max});
}

void autoscaler_state::on_load(const pool_load& x) {
  last = x;
  if (ordered == x.size)
    ordered.reset();
  auto size_now = size();
  auto size_wanted = wanted();
  if (size_wanted > size_now) {
    spdlog::info("Scaling up from {} to {}: {} busy, {} waiting (max {})",
                 size_now, size_wanted, x.busy, x.waiting, options.max);
    resize(size_wanted);
  }
  if (size_wanted >= size_now) {
    idle_time = 0;
    return;
  }
  if (idle_time == 0) {
    idle_time = ++last_idle_time;
    most_wanted = size_wanted;
    self->delayed_send(self, options.keepalive, idle_atom::value, idle_time);
  }
  most_wanted = std::max(most_wanted, size_wanted);
}

void autoscaler_state::on_idle(uint64_t number) {
  if (number != idle_time)
    return;
  // The most that was wanted in this time stays; the next time may be calmer.
  idle_time = 0;
  if (most_wanted < size()) {
    spdlog::info("Scaling down from {} to {}: {} busy, {} waiting, no more "
                 "wanted for {:g} s (min {})",
                 size(), most_wanted, last.busy, last.waiting,
                 std::chrono::duration<double>{options.keepalive}.count(),
                 options.min);
    resize(most_wanted);
  }
  on_load(last);
}

caf::result<autoscale_info>
autoscaler_state::on_set(const set_autoscale& x) {
  auto max = x.max.value_or(options.max);
  auto min = x.min.value_or(options.min);
  if (max == 0 || min > max || max > pool_size_max)
    return caf::make_error(caf::sec::invalid_argument,
                           fmt::format("autoscale: min {} and max {} are not "
                                       "0 <= min <= max <= {} with max > 0",
                                       min, max, pool_size_max));
  if (max != options.max || min != options.min) {
    spdlog::info("Autoscale now max={} min={} (was max={} min={}): {} children, "
                 "{} busy, {} waiting",
                 max, min, options.max, options.min, size(), last.busy,
                 last.waiting);
    options.max = max;
    options.min = min;
    most_wanted = std::clamp(most_wanted, min, max);
    // At once, also downwards: this is an order, not a guess about the load.
    resize(std::clamp(size(), min, max));
    on_load(last);
  }
  return autoscale_info{options.max, options.min, size(),
                        last.busy + last.waiting};
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
    [self](const set_autoscale& x) { return self->state.on_set(x); },
    [self](describe_atom) {
      auto& st = self->state;
      return describe_self(
          self, fmt::format("from {} to {} children", st.options.min,
                            st.options.max));
    },
    [self](idle_atom, uint64_t number) { self->state.on_idle(number); },
  };
}

} // namespace umbel
