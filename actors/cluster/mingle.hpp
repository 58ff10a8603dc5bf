// mingle: asks its neighbours what it has missed.
//
//  1. when the writer is connected, says hello to all workers, with the tasks
//     that are revoked here;
//  2. as their answers come, takes over their logical time and what is revoked
//     there;
//  3. ends a second later.
//
// Nobody waits for it: the worker serves meanwhile. It asks again whenever the
// connections are new. It is detached, because it blocks in its mailbox, and
// a transient child of the supervisor `connections`; without a mailbox it says so
// in the log and ends.
#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/consumer/incarnation.hpp"
#include "actors/consumer/inspection.hpp"
#include "actors/supervision/description.hpp"
#include "protocol/broker/subscription.hpp"
#include "protocol/control/control_request.hpp"
#include "protocol/control/logical_clock.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace umbel {

struct mingle_options {
  node_name node;
  content_rules content;
  std::string control_exchange{umbel::control_exchange};
  std::string reply_exchange{umbel::reply_exchange};
  std::shared_ptr<logical_clock> clock = std::make_shared<logical_clock>();
  /// Opens the mailbox of an address, for the answers; tests pass their own.
  std::function<expected<std::unique_ptr<subscription>>(const std::string&)>
    open;
};

struct mingle_state {
  static inline const char* name = "mingle";

  /// How long it waits for answers: as Celery.
  static constexpr auto patience = std::chrono::seconds{1};

  /// Longest wait in one go. Messages to this actor are read in between.
  static constexpr auto wait_max = std::chrono::milliseconds{200};

  void connect();
  void say_hello(const revoked_list& ours);
  void listen();
  void on_message(const std::string& payload);
  void on_answer(const std::string& node, const json::value& answer);
  void end();

  caf::event_based_actor* self = nullptr;
  mingle_options options;
  caf::actor consumer;
  caf::actor writer;
  std::unique_ptr<subscription> mailbox; ///< null before and after
  reply_address address;
  std::chrono::steady_clock::time_point deadline{};
  size_t nodes = 0; ///< have answered
};

/// The arguments of `hello`, and its answer's share: Celery's way to write what
/// is revoked.
json::object revoked_document(const revoked_list& x);

caf::behavior mingle(caf::stateful_actor<mingle_state>* self,
                     mingle_options options, caf::actor consumer,
                     caf::actor writer);

} // namespace umbel
