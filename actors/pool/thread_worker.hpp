// thread worker: one child that is a thread of this process (-P threads, solo).
//
//  1. the worker actor takes jobs and recalls, as child_worker does, and keeps
//     them in a job_queue that it shares with its runner; interrupts it passes
//     to the run itself;
//  2. the runner, a detached actor, takes jobs off that queue, runs them, and
//     reports to the pool supervisor itself.
//
// A thread cannot be killed. When the pool wants it gone, the worker says so at
// once and the thread ends when its task does; a task that crashes takes the
// whole worker process with it. That is what these pools cost.
#pragma once

#include "actors/pool/job_queue.hpp"
#include "actors/pool/messages.hpp"
#include "actors/pool/pool_supervisor.hpp"
#include "actors/supervision/description.hpp"
#include "protocol/error.hpp"
#include "protocol/task/registry.hpp"
#include "protocol/task/runner.hpp"
#include "protocol/task/settings.hpp"
#include "protocol/task/task_caller.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <memory>
#include <string>
#include <vector>

namespace umbel {

struct thread_worker_state {
  static inline const char* name = "thread_worker";

  void end(const std::string& how);

  caf::event_based_actor* self = nullptr;
  uint64_t id = 0;
  caf::actor pool;
  caf::actor runner;
  std::shared_ptr<task_runner> tasks; ///< used by the runner's thread
  std::shared_ptr<job_queue> jobs = std::make_shared<job_queue>();
};

/// @param tasks the loaded libraries, shared by all threads
/// @param calls has other tasks run
caf::behavior thread_worker(caf::stateful_actor<thread_worker_state>* self,
                            caf::actor pool, uint64_t id,
                            std::shared_ptr<const registry> tasks,
                            runner_settings settings,
                            std::shared_ptr<task_caller> calls);

/// Children that are threads. Loads the libraries into this process, once.
/// @returns `not_found` or `invalid_setting` for a library that cannot be loaded
expected<child_factory>
thread_children(const std::vector<std::string>& libraries,
                runner_settings settings, std::shared_ptr<task_caller> calls);

} // namespace umbel
