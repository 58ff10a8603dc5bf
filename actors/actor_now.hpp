// The time by the clock of an actor's system, which tests simulate.
#pragma once

#include <caf/actor_clock.hpp>
#include <caf/scheduled_actor.hpp>

#include <chrono>

namespace umbel {

inline std::chrono::steady_clock::time_point
actor_now(caf::scheduled_actor* self) {
  return std::chrono::time_point_cast<std::chrono::steady_clock::duration>(
    self->clock().now());
}

} // namespace umbel
