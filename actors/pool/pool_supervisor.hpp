// pool supervisor: the dynamic supervisor of the child workers.
//
//  1. keeps `size` children alive: a child that dies is replaced, with backoff
//     if children die faster than they work, up to the restart intensity;
//  2. hands jobs to free children (see dispatcher) and recalls what is stuck
//     behind a long job;
//  3. reports starts, outcomes and losses to the consumer;
//  4. on shutdown tells the children to finish what they run, and kills those
//     that do not end in time.
//
// Children are permanent. If the first ones cannot load the task libraries, no
// restart will help: the supervisor ends with `supervision_errc::fatal`.
// The root supervisor starts it before the consumer.
#pragma once

#include "actors/pool/dispatcher.hpp"
#include "actors/pool/messages.hpp"
#include "actors/supervision/restart_history.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/timespan.hpp>

#include <functional>
#include <map>
#include <string>

namespace umbel {

/// How to make one child: spawns the actor that speaks for it. An error is a
/// failed start.
using child_factory = std::function<caf::expected<caf::actor>(
  caf::local_actor* parent, const caf::actor& pool, uint64_t id)>;

struct pool_options {
  size_t size = 1;
  child_factory start;
  restart_intensity intensity{20, std::chrono::seconds{10}};
  restart_backoff backoff{std::chrono::milliseconds{100},
                          std::chrono::seconds{5}};
  /// How long children may finish what they run after an exit message.
  caf::timespan shutdown = std::chrono::seconds{2};
};

struct pool_supervisor_state {
  static inline const char* name = "pool_supervisor";

  /// How often it looks for jobs stuck behind a long one, while there may be
  /// any.
  static constexpr auto recall_interval = std::chrono::milliseconds{10};

  struct child {
    caf::actor worker;
    bool ready = false;
    bool retiring = false; ///< asked to end; not replaced
  };

  /// If it is killed outright, its children are killed with it.
  ~pool_supervisor_state();

  // -- life of the children -----------------------------------------------------

  void start_child();
  void on_hello(child_hello& x);
  void on_failed(const child_failed& x);
  void on_exited(uint64_t id, const std::string& how);
  void on_down(const caf::actor_addr& source);
  void resize(size_t size);
  void shut_down(caf::error reason);

  // -- work ---------------------------------------------------------------------

  void on_outcomes(child_outcomes& x);
  void on_returned(const child_returned& x);
  void on_take_back(size_t keep);
  void on_quiet();
  void on_kill(uint64_t job);
  void dispatch();
  void recall_overdue();
  void report_load();

  caf::event_based_actor* self = nullptr;
  pool_options options;
  caf::actor consumer;
  caf::actor autoscaler;   ///< null without --autoscale
  pool_load reported_load; ///< what the autoscaler knows
  dispatcher jobs;
  restart_history history{{}, {}};
  std::map<uint64_t, child> children;
  std::vector<task_options> tasks; ///< from the first hello
  uint64_t last_child_id = 0;
  size_t restarts = 0;
  bool recall_pending = false;
  bool is_quiet = false; ///< begins nothing more
  bool stopping = false; ///< ends with its last child
  caf::error stop_reason;
};

caf::behavior pool_supervisor(caf::stateful_actor<pool_supervisor_state>* self,
                              pool_options options);

} // namespace umbel
