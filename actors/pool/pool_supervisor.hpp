// pool supervisor: the dynamic supervisor of the child workers.
//
//  1. keeps `size` children alive: a child that dies is replaced, at once if it
//     had worked, with backoff if children die faster than they work;
//  2. replaces children that have worked enough (see recycling), each after its
//     successor is ready, so that capacity never dips (see roster);
//  3. hands jobs to free children (see dispatcher) and recalls what is stuck
//     behind a long job;
//  4. ends runs that are over their time limits or revoked (run_endings.cpp);
//  5. reports starts, outcomes and losses to the consumer;
//  6. on shutdown tells the children to finish what they run, and kills those
//     that do not end in time.
//
// Children are permanent. No restart of the pool helps when the task libraries
// cannot be loaded, or when more children than the intensity allows die before
// they have worked: then it ends with `supervision_errc::fatal`.
// The root supervisor starts it before the consumer.
#pragma once

#include "actors/pool/dispatcher.hpp"
#include "actors/pool/messages.hpp"
#include "actors/pool/recycling.hpp"
#include "actors/pool/roster.hpp"
#include "actors/pool/run_deadlines.hpp"
#include "actors/supervision/description.hpp"
#include "actors/supervision/restart_history.hpp"

#include <caf/atom.hpp>
#include <caf/behavior.hpp>
#include <caf/result.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/timespan.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

namespace umbel {

/// How to make one child: spawns the actor that speaks for it. An error is a
/// failed start.
using child_factory = std::function<caf::expected<caf::actor>(
  caf::local_actor* parent, const caf::actor& pool, uint64_t id)>;

struct pool_options {
  size_t size = 1;
  child_factory start;
  /// Children that died before they had worked; longer than it takes to reach
  /// the limit by way of the backoff.
  restart_intensity intensity{10, std::chrono::seconds{60}};
  restart_backoff backoff{std::chrono::milliseconds{10},
                          std::chrono::seconds{2}};
  recycling_limits recycling;
  /// A child that has not said hello after this long is killed.
  caf::timespan alive = std::chrono::seconds{30};
  /// A child that was told to end and has not after this long is killed.
  caf::timespan grace = std::chrono::seconds{5};
  /// How long children may finish what they run after an exit message.
  caf::timespan shutdown = std::chrono::seconds{2};
  /// False if a child cannot be ended while it runs something (a thread): a run
  /// can then only be asked to end.
  bool can_kill = true;
};

struct pool_supervisor_state {
  static inline const char* name = "pool_supervisor";

  /// How often it looks for jobs stuck behind a long one, while there may be
  /// any.
  static constexpr auto recall_interval = std::chrono::milliseconds{10};

  using limits_atom = caf::atom_constant<caf::atom("limits")>;
  using signal_atom = caf::atom_constant<caf::atom("signal")>;

  /// Between two looks at the memory of children that run something, if there
  /// are limits. Longer: a task gets further past the hard limit.
  static constexpr auto sample_interval = std::chrono::milliseconds{25};

  /// Longest time between two looks at time limits while there are any.
  static constexpr auto limits_interval = std::chrono::seconds{1};

  /// How long a signal waits for the child to give back what it has not begun.
  static constexpr auto recall_grace = std::chrono::milliseconds{100};

  /// The end of one run that costs its child.
  struct ending {
    uint64_t job = 0;
    int signal = 0;
    bool sent = false;
  };

  struct child {
    caf::actor worker;
    /// When it is killed if it has not said hello, or ended, until then.
    std::optional<dispatcher::time_point> deadline{};
    dispatcher::time_point ready_since{}; ///< meaningless before its hello
    std::optional<ending> end{};
    int64_t process = 0; ///< from its hello
    uint64_t given = 0;  ///< jobs that were sent to it
  };

  /// If it is killed outright, its children are killed with it.
  ~pool_supervisor_state();

  // -- life of the children -----------------------------------------------------

  uint64_t start_child();
  void fill();
  void on_hello(child_hello& x);
  void on_failed(const child_failed& x);
  void on_exited(uint64_t id, const std::string& how,
                 std::optional<uint64_t> seen = {});
  void on_down(const caf::actor_addr& source);
  void on_start_due();
  void replace(uint64_t id, bool had_worked, const std::string& how);
  void resize(resize_pool x);
  void shrink();
  void dismiss(uint64_t id);
  void set_deadline(uint64_t id, caf::timespan time);
  void kill_overdue();
  void shut_down(caf::error reason);

  // -- recycling ----------------------------------------------------------------

  void note_work(uint64_t id, size_t finished, size_t memory);
  void replace_all();
  void want_successor(uint64_t id);
  void start_successors();
  void try_hand_over(uint64_t id);
  void enroll(uint64_t id);
  void sample();
  void on_memory(child_memory x);

  // -- work ---------------------------------------------------------------------

  void on_outcomes(child_outcomes& x);
  void on_returned(const child_returned& x);
  void on_take_back(size_t keep);
  void on_quiet();
  void on_kill(uint64_t job);
  void dispatch();
  void recall_overdue();
  void report_load();

  // -- ends of runs (run_endings.cpp) -------------------------------------------

  void on_begun(uint64_t child);
  void on_ended(uint64_t job);
  void watch_limits();
  void check_limits();
  void end_run(uint64_t child, uint64_t job, int signal);
  void send_signal(uint64_t child);
  void continue_ending(uint64_t child);
  void signal_unless_sent(uint64_t child, uint64_t job);
  void on_withdraw(const withdraw_jobs& x);
  void return_withdrawn();

  // -- what is asked ------------------------------------------------------------

  description own_description() const;
  std::string state_of(uint64_t id) const;
  pool_info info() const;
  caf::result<pool_info> on_grow(grow_pool x);

  caf::event_based_actor* self = nullptr;
  pool_options options;
  caf::actor consumer;
  caf::actor autoscaler;   ///< null without --autoscale
  pool_load reported_load; ///< what the autoscaler knows
  dispatcher jobs;
  roster roles; ///< of the children
  restart_history history{{}, {}};
  std::map<uint64_t, child> children;
  std::vector<task_options> tasks; ///< from the first hello
  uint64_t last_child_id = 0;
  size_t restarts = 0;
  size_t delayed_starts = 0; ///< replacements that wait for their backoff
  /// When `kill_overdue` is called next.
  std::optional<dispatcher::time_point> next_look;
  bool recall_pending = false;
  bool sample_pending = false;
  run_deadlines deadlines;
  /// When the pending look at the limits comes; older ones are void.
  std::optional<run_deadlines::time_point> limits_check;
  /// Jobs that shall not run, until they are back, and what to do if they begin
  /// nevertheless.
  std::unordered_map<uint64_t, std::optional<int>> withdrawn;
  bool is_quiet = false; ///< begins nothing more
  std::optional<dispatcher::time_point> until; ///< when the lease ends
  bool stopping = false; ///< ends with its last child
  caf::error stop_reason;
};

caf::behavior pool_supervisor(caf::stateful_actor<pool_supervisor_state>* self,
                              pool_options options);

} // namespace umbel
