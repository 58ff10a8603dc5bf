// root: the top of the supervision tree.
//
//  1. starts the tree;
//  2. carries out the steps of a shutdown (see shutdown_ladder): has the
//     consumer drain, or give up what runs, and says every `report_interval`
//     what is still waited for;
//  3. gives running tasks `soft_shutdown_timeout` before a cold shutdown gives
//     them up;
//  4. tells the service manager how it stands;
//  5. ends with the tree, and with its reason.
//
// The main thread monitors it. A consumer that is restarted in the middle of a
// shutdown hears of it.
#pragma once

#include "actors/consumer/messages.hpp"
#include "actors/shutdown_ladder.hpp"
#include "actors/supervision/description.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace umbel {

/// From the main thread: climb to this step.
struct shutdown_step {
  shutdown_ladder::step to = shutdown_ladder::step::warm;
  bool restarts = false; ///< the program runs again afterwards
};

/// From whoever starts it: there is a new consumer.
struct consumer_up {
  caf::actor consumer;
};

struct root_options {
  /// Starts the tree. Its consumer is to be announced by `consumer_up`.
  std::function<caf::actor(caf::event_based_actor* root)> start_tree;
  std::chrono::milliseconds soft_shutdown_timeout{0}; ///< 0: none
  /// Take that time even if nothing runs.
  bool soft_shutdown_on_idle = false;
  /// Takes lines of the form "STOPPING=1".
  std::function<void(const std::string&)> notify = [](const std::string&) {};
};

struct root_state {
  // -- member types and constants ---------------------------------------------

  static inline const char* name = "root";

  /// After a cold shutdown began, what could not be settled in this time is
  /// left to the lease.
  static constexpr auto cold_shutdown_max = std::chrono::seconds{5};

  /// How often it says what it waits for.
  static constexpr auto report_interval = std::chrono::seconds{10};

  enum class phase {
    running,
    warm, ///< waits for running tasks
    soft, ///< waits for them as long as `soft_shutdown_timeout`
    cold, ///< gives them up
  };

  // -- what happens -----------------------------------------------------------

  void on_step(const shutdown_step& x);
  void on_consumer(caf::actor x);
  void on_drained();
  void on_soft_over();
  void on_unfinished(const unfinished_tasks& x);
  void on_report();

  // -- the rest ---------------------------------------------------------------

  void report();
  void begin_cold();
  void end_tree();
  std::string describe() const;

  caf::event_based_actor* self = nullptr;
  root_options options;
  caf::actor tree;
  caf::actor consumer;
  phase now = phase::running;
  bool is_drained = false;
  bool reporting = false; ///< a message to itself is under way
};

caf::behavior root(caf::stateful_actor<root_state>* self, root_options options);

/// "2 tasks: tasks.sleep[id] (running for 3.2 s), ..."; the first ten are named.
std::string to_string(const unfinished_tasks& x);

} // namespace umbel

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::shutdown_step)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::consumer_up)
