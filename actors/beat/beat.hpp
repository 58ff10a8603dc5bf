// beat: sends periodic tasks when they are due.
//
//  1. looks into the store each second: whether it leads, and what operators have
//     changed. If another beat leads it stands by, and sends nothing;
//  2. sleeps until the earliest entry is due;
//  3. publishes what is due, the earliest first, in batches;
//  4. has the batch noted once the broker has accepted it, and not before: a crash in
//     between sends it once more, under the same ids, never less. Where the store is
//     the broker's own database both are one step;
//  5. finds out by itself when an entry is due next: entries wait in a heap, a wake-up
//     costs the due ones alone.
//
// Detached: it waits for broker and disk. When a connection is lost it ends, and
// its supervisor starts it again with backoff; everything that it has to know is in
// the plan, which outlives it, and in the store. What was due in the meantime is sent
// then, by the entry's `catch_up`.
#pragma once

#include "actors/beat/beat_plan.hpp"
#include "actors/beat/periodic_tasks.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/canvas/routing.hpp"
#include "protocol/client/sent_events.hpp"
#include "protocol/schedule/once_publisher.hpp"

#include <caf/actor_clock.hpp>
#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

namespace umbel {

struct beat_options {
  std::function<expected<std::unique_ptr<broker>>()> connect;
  /// To a broker on which a due time can be published once; else null.
  std::function<expected<std::unique_ptr<schedule::once_publisher>>()>
    connect_once
    = [] { return nullptr; };
  std::function<timestamp()> now; ///< the wall clock; tests pass a simulated one
  std::chrono::microseconds max_interval = std::chrono::minutes{5};
  size_t batch_max = 500; ///< tasks sent before they are noted
  std::function<void()> on_running = [] {}; ///< it is connected
  periodic_tasks libraries; ///< for arguments that are computed when they are sent
  bool sent_events = false; ///< tell monitors of each task: `task_send_sent_event`
  serializer event_serializer = serializer::json; ///< of what they are told
  std::string event_exchange{"celeryev"}; ///< through which they are told
  umbel::routing routing; ///< where tasks go
};

struct beat_state {
  static inline const char* name = "beat";

  void connect();
  void tick();
  bool look();
  bool send(const std::vector<beat_plan::due_entry>& due, timestamp now);
  std::vector<schedule::once_publisher::item>
  make_messages(const std::vector<beat_plan::due_entry>& due, timestamp now);
  expected<void> publish(std::span<const schedule::once_publisher::item> items);
  expected<void> publish_through_exchanges(
    std::vector<schedule::once_publisher::item>& items);
  void stand_by(const std::string& leader);
  void fail(const error& x);

  caf::event_based_actor* self = nullptr;
  beat_options options;
  std::shared_ptr<beat_plan> plan;
  std::unique_ptr<broker> connection;
  std::unique_ptr<schedule::once_publisher> once; ///< null: `connection` has to do
  std::set<std::string> declared; ///< queues
  std::string origin;
  std::optional<sent_events> monitors; ///< empty: nobody is told
  uint64_t sent = 0;
  bool leads = false;
  std::optional<std::string> leader; ///< the other one, when it was told
  caf::actor_clock::time_point next_look{};
};

/// @param plan used by nobody else at the same time
caf::behavior beat(caf::stateful_actor<beat_state>* self,
                   std::shared_ptr<beat_plan> plan, beat_options options);

} // namespace umbel
