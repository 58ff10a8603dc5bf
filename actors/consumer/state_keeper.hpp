// state keeper: writes down what was revoked (-S, worker_state_db).
//
//  1. saves each `tasks_revoked` and answers with it when it is on the disk;
//     everything that waits in its mailbox goes there in one transaction;
//  2. told to end, saves first what it was sent before.
//
// What it cannot save it says in the log and answers all the same: it holds
// until the worker ends. Detached: it waits for the disk. The root supervisor
// starts it before the consumer.
#pragma once

#include "actors/consumer/messages.hpp"
#include "actors/consumer/state_db.hpp"

#include <caf/behavior.hpp>
#include <caf/response_promise.hpp>
#include <caf/stateful_actor.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace umbel {

struct state_keeper_state {
  static inline const char* name = "state_keeper";

  void add(tasks_revoked x);
  void flush();

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<state_db> db;
  std::vector<std::pair<tasks_revoked, caf::response_promise>> pending;
};

/// @param db used by nobody else; outlives restarts of this actor
caf::behavior state_keeper(caf::stateful_actor<state_keeper_state>* self,
                           std::shared_ptr<state_db> db);

} // namespace umbel
