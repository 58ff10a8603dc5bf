// heartbeat: says at intervals that the worker lives, and how it is.
//
//  1. says worker-online when a connection is up, worker-heartbeat ever after;
//  2. asks the consumer before each how many tasks run and have run. A consumer
//     that does not answer has no pulse: nothing is said then.
//
// worker-offline is said by the consumer, when it begins to drain: by then this
// actor may be gone. Started by the supervisor `connections`, unless
// --without-heartbeat.
#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/consumer/inspection.hpp"
#include "actors/supervision/description.hpp"
#include "protocol/message/json.hpp"

#include <caf/actor.hpp>
#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace umbel {

struct heartbeat_options {
  std::chrono::milliseconds interval{2'000};
  std::string version; ///< of this program
};

/// What worker-online, -heartbeat and -offline say.
json::object heartbeat_fields(const heartbeat_options& options,
                              const run_counts& runs);

struct heartbeat_state {
  static inline const char* name = "heartbeat";

  void beat();

  caf::event_based_actor* self = nullptr;
  heartbeat_options options;
  caf::actor consumer;
  caf::actor events;
  bool online = false; ///< has said so
};

caf::behavior heartbeat(caf::stateful_actor<heartbeat_state>* self,
                        heartbeat_options options, caf::actor consumer,
                        caf::actor events);

} // namespace umbel
