// control: answers remote control (contract section 8), Celery's pidbox.
//
//  1. gets the commands that are for this node from the listener;
//  2. asks the actors that know, or tells those that can do it;
//  3. has the writer send the answer, if one is wanted;
//  4. looks for commands that it does not know in the task libraries
//     (library_commands.hpp).
//
// It waits for nobody: an actor that does not answer in time is an error in the
// answer. So is every argument that cannot be used. It is detached because what
// it writes down may be long: messages are as large as their senders like.
//
// Bounds: `open_max` commands that are not answered yet; more are refused.
// Started by the supervisor `connections` with each new connection of the
// listener. It has no state to lose but the answers that are under way.
#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/consumer/consumed_queues.hpp"
#include "actors/worker_config.hpp"
#include "protocol/control/control_reply.hpp"
#include "protocol/control/logical_clock.hpp"

#include <caf/actor.hpp>
#include <caf/behavior.hpp>
#include <caf/error.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/timespan.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace umbel {

/// Whom it asks.
struct control_colleagues {
  caf::actor root;
  caf::actor pool;
  caf::actor autoscaler; ///< null without --autoscale
  caf::actor consumer;
  caf::actor writer; ///< publishes the answers
  caf::actor events; ///< null where there are none
  caf::actor gossip = nullptr; ///< null where there is none
};

struct control_options {
  const worker_config* config = nullptr; ///< outlives it
  std::shared_ptr<logical_clock> clock = std::make_shared<logical_clock>();
  std::shared_ptr<consumed_queues> queues = std::make_shared<consumed_queues>();
};

struct control_state;

/// Takes the answer; to be called once.
using answer_function = std::function<void(json::value)>;

/// One command.
struct control_method {
  std::string_view name;
  void (*run)(control_state& self, const json::object& arguments,
              answer_function answer);
};

/// Those that ask (inspect_methods.cpp), those that change something
/// (change_methods.cpp), and those that change what is consumed (queue_methods.cpp).
std::span<const control_method> inspect_methods();
std::span<const control_method> change_methods();
std::span<const control_method> queue_methods();

/// @returns null if there is none of that name.
const control_method* find_control_method(std::string_view name);

struct control_state {
  static inline const char* name = "control";

  /// How long an actor may take to answer: Celery's clients wait for a second.
  static constexpr caf::timespan patience = std::chrono::milliseconds{800};

  static constexpr size_t open_max = 100;

  /// Between the answer to `kill` and the deed.
  static constexpr auto mercy = std::chrono::milliseconds{100};

  void on_command(const control_request& x);

  /// Asks another actor. `then` gets its answer, of type `Answer`; if there is
  /// none, the command is answered with the error.
  template <class Answer, class Question, class Then>
  void ask(const caf::actor& whom, Question question, answer_function answer,
           Then then);

  json::value no_answer(const caf::error& x) const;

  const node_name& node() const {
    return options.config->broker.node;
  }

  caf::event_based_actor* self = nullptr;
  control_options options;
  control_colleagues colleagues;
  size_t open = 0; ///< commands without an answer yet
  size_t library_commands_running = 0; ///< see library_commands.hpp
  /// Their names; not known before somebody has asked for one that there is not.
  std::optional<std::set<std::string>> library_commands;
};

caf::behavior control(caf::stateful_actor<control_state>* self,
                      control_options options, control_colleagues colleagues);

} // namespace umbel
