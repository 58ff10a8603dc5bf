#include "actors/cluster/heartbeat.hpp"

#include "protocol/control/event.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <utility>

namespace umbel {

namespace {

using beat_atom = caf::atom_constant<caf::atom("beat")>;

json::array load_average() {
  double loads[3] = {};
  getloadavg(loads, 3);
  json::array result;
  for (auto x : loads)
    result.emplace_back(std::round(x * 100) / 100);
  return result;
}

} // namespace

json::object heartbeat_fields(const heartbeat_options& options,
                              const run_counts& runs) {
  auto result = software_info(options.version);
  result["freq"] = std::chrono::duration<double>{options.interval}.count();
  result["active"] = runs.active;
  result["processed"] = runs.total();
  result["loadavg"] = load_average();
  return result;
}

void heartbeat_state::beat() {
  self->request(consumer, options.interval, count_runs{})
    .then(
      [this](const run_counts& runs) {
        auto type = std::exchange(online, true) ? "worker-heartbeat"
                                                : "worker-online";
        self->send(events, emit_event{type, heartbeat_fields(options, runs), {}});
      },
      [](const caf::error&) {
        // The next beat asks again.
      });
  self->delayed_send(self, options.interval, beat_atom::value);
}

caf::behavior heartbeat(caf::stateful_actor<heartbeat_state>* self,
                        heartbeat_options options, caf::actor consumer,
                        caf::actor events) {
  auto& st = self->state;
  st.self = self;
  st.options = std::move(options);
  st.consumer = std::move(consumer);
  st.events = std::move(events);
  self->send(self, beat_atom::value);
  return {
    [self](beat_atom) { self->state.beat(); },
    [self](describe_atom) {
      auto& st = self->state;
      return describe_self(
        self,
        fmt::format("every {:g} s",
                    std::chrono::duration<double>{st.options.interval}.count()));
    },
  };
}

} // namespace umbel
