// caller: has other tasks run for tasks that wait for them.
//
//  1. subscribes to the results of new calls, then publishes the calls,
//     and has monitors told of them, if `task_send_sent_event` says so;
//  2. hands each result to whoever waits for it: it never asks for one;
//  3. after a lost connection subscribes to what is still waited for, and looks
//     once for what was stored meanwhile;
//  4. answers what running tasks ask of the result store.
//
// It connects at the first call: most workers never do. Detached, because its
// connections block. A lost connection is the end of it; its supervisor, that of
// the connections, starts another. What it works on outlives it in the call
// table.
#pragma once

#include "actors/caller/call_table.hpp"
#include "actors/consumer/incarnation.hpp"
#include "actors/supervision/description.hpp"
#include "protocol/backend/result_listener.hpp"
#include "protocol/broker/broker.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <memory>

namespace umbel {

struct caller_state {
  static inline const char* name = "caller";

  /// How long it looks at nothing but its sockets, while somebody waits. Longer:
  /// it ends later when it is told to.
  static constexpr auto wait_max = std::chrono::milliseconds{500};

  ~caller_state();

  /// One round: publish what is new, wait for what comes.
  void serve();
  bool connect();
  expected<void> exchange();
  expected<void> answer_questions();
  expected<std::vector<std::string>> look_up(const std::vector<std::string>& ids);
  expected<void> publish(std::vector<call_table::unsent>& calls);
  void tell_sent(const std::vector<call_table::unsent>& published);
  void fail(const error& x);

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<incarnation> life;
  std::shared_ptr<call_table> calls;
  caf::actor events; ///< told of what was sent; null: nobody
  std::unique_ptr<broker> publishing;
  std::unique_ptr<result_listener> listening;
  std::unique_ptr<result_store> looking; ///< null: nobody has asked yet
  bool serving = false; ///< a round is to come
};

/// @param events the event dispatcher, to tell of what was sent; or null
caf::behavior caller(caf::stateful_actor<caller_state>* self,
                     std::shared_ptr<incarnation> life,
                     std::shared_ptr<call_table> calls, caf::actor events);

} // namespace umbel
