// supervisor: keeps its children alive. One implementation for the whole tree.
//
//  1. starts its children in order;
//  2. when one ends, decides by its `restart` whether to start it again, and by
//     the `strategy` which siblings to stop and start with it;
//  3. gives up when it restarts too often (`intensity`) or when no restart can
//     help (`fatal`): it stops everything and ends with an error, so that its
//     own supervisor decides;
//  4. on an exit message stops its children in reverse order, each with
//     `user_shutdown` and its own time limit, then ends with that reason.
//
// It does nothing else: no work, no requests, no waiting. Its parent is another
// supervisor, or main for the root. If it is killed outright, its children are
// killed with it.
//
// Everything happens in `step`: it looks at the phases of the children and does
// what is next. Ends of children, timers and requests only change phases and
// then call it, so a late or superfluous timer changes nothing.
#pragma once

#include "actors/supervision/child_spec.hpp"
#include "actors/supervision/description.hpp"
#include "actors/supervision/messages.hpp"
#include "actors/supervision/restart_history.hpp"
#include "actors/supervision/supervision_errc.hpp"

#include <caf/behavior.hpp>
#include <caf/response_promise.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/system_messages.hpp>

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

struct supervisor_state {
  // -- member types and constants ---------------------------------------------

  static inline const char* name = "supervisor";

  using time_point = restart_history::time_point;

  /// After a kill, how long until a child is left behind. Only a detached actor
  /// in a blocking call needs longer, and nothing can end that one.
  static constexpr caf::timespan kill_patience = std::chrono::seconds{1};

  enum class phase : uint8_t {
    waiting, ///< not alive; to be started after `deadline`
    running,
    leaving,  ///< alive; to be stopped when those after it are gone
    stopping, ///< got user_shutdown; to be killed after `deadline`
    killed,   ///< got kill; to be left behind after `deadline`
    stopped,  ///< not alive; not to be started
  };

  struct child {
    child_spec spec;
    caf::actor handle; ///< null unless alive
    supervisor_state::phase phase = phase::waiting;
    time_point deadline;
    bool respawn = false; ///< when stopped, start again
    size_t starts = 0;
    restart_history::streak streak;
    std::string last_reason; ///< why it ended last, readable
    std::optional<caf::response_promise> start_promise; ///< of start_child
    std::vector<caf::response_promise> end_promises;    ///< of terminate_child
  };

  ~supervisor_state();

  // -- what happens -----------------------------------------------------------

  void on_down(const caf::down_msg& x);
  void on_exit(const caf::error& reason);

  // -- what is asked (requests.cpp) ------------------------------------------

  std::vector<child_info> which_children() const;
  child_counts count_children() const;
  description own_description() const;
  void start_child(child_spec spec);
  void terminate_child(const std::string& id);
  caf::error delete_child(const std::string& id);

  // -- what is next -----------------------------------------------------------

  void step();
  child* next_to_stop();
  child* next_to_start();
  void stop_further(child& x);
  void start(child& x);

  // -- decisions --------------------------------------------------------------

  void ended(child& x, const caf::error& reason);
  void restart(child& x);
  void leave(child& x, bool respawn);
  void retire(child& x);
  void forget(child& x);
  void shut_down(caf::error reason);
  void quit();

  // -- the rest ---------------------------------------------------------------

  time_point now() const;
  void enter(child& x, supervisor_state::phase next, caf::timespan time);
  child* find(const std::string& id);
  bool add(child_spec spec);
  siblings before(const child& x) const;

  caf::event_based_actor* self = nullptr;
  std::string label; ///< its name in the tree
  supervisor_flags flags;
  restart_history history{{}, {}};
  std::deque<child> children; ///< in start order
  bool is_stopping = false;
  caf::error stop_reason;
};

/// @param name what the log calls it
/// @param children in start order
caf::behavior supervisor(caf::stateful_actor<supervisor_state>* self,
                         std::string name, supervisor_flags flags,
                         std::vector<child_spec> children);

} // namespace umbel
