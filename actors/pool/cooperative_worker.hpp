// cooperative worker: one child that is a slot on the thread of the cooperative
// pool (-P gevent, eventlet). There are as many as tasks may run at once.
//
//  1. gives jobs to its slot, and takes back what has not begun;
//  2. when it is told to stop, ends after the slot's current task;
//  3. when it is told to end now, or by a signal, gives the task up: a coroutine is cancelled
//     where it waits, and ends.
//
// Costs no thread, so there can be thousands. The pool supervisor starts it,
// monitors it and replaces it.
#pragma once

#include "actors/pool/cooperative_slot.hpp"
#include "actors/pool/messages.hpp"
#include "actors/pool/pool_supervisor.hpp"
#include "actors/supervision/description.hpp"
#include "protocol/error.hpp"
#include "protocol/task/registry.hpp"
#include "protocol/task/settings.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <memory>
#include <string>
#include <vector>

namespace umbel {

struct cooperative_worker_state {
  static inline const char* name = "cooperative_worker";

  /// Whatever ends this actor ends its task.
  ~cooperative_worker_state();

  void give_back();
  void end(const std::string& how);

  caf::event_based_actor* self = nullptr;
  uint64_t id = 0;
  caf::actor pool;
  std::shared_ptr<cooperative_slot> slot;
};

/// @param slot new, made for `pool` and `id`
/// @param tasks for the pool's first child to tell, empty for the others: there
///              may be thousands
caf::behavior
cooperative_worker(caf::stateful_actor<cooperative_worker_state>* self,
                   caf::actor pool, uint64_t id,
                   std::shared_ptr<cooperative_slot> slot,
                   std::vector<task_options> tasks);

/// Children that share one thread, which lives as long as the factory. Loads
/// the libraries into this process, once.
/// @param calls has other tasks run
/// @returns `not_found` or `invalid_setting` for a library that cannot be loaded
expected<child_factory>
cooperative_children(const std::vector<std::string>& libraries,
                     runner_settings settings,
                     std::shared_ptr<task_caller> calls);

} // namespace umbel
