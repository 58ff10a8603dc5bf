// gossip: knows who else is there, by what workers say of themselves.
//
//  1. keeps the membership, and says who joined, left and was lost;
//  2. when a node is lost, has the consumer look for what it left, until its lease
//     must have ended: one of all nodes restores it within a second of that;
//  3. takes part in elections, and sends the task if this node wins.
//
// It hears of worker events only: the broker sends it no others. It reads what
// the listener has parsed, and keeps nothing that another start would not hear
// again within two heartbeats. Started by the supervisor `connections`, unless
// --without-gossip, after the writer and before the listener.
//
// Bounds: members and elections have their own (membership.hpp, elections.hpp).
#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/supervision/description.hpp"
#include "protocol/control/elections.hpp"
#include "protocol/control/logical_clock.hpp"
#include "protocol/control/membership.hpp"
#include "protocol/names.hpp"
#include "protocol/task/settings.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace umbel {

struct gossip_options {
  node_name node;
  int64_t pid = 0;
  /// How elected tasks are sent.
  std::shared_ptr<const runner_settings> settings =
    std::make_shared<const runner_settings>();
  std::chrono::milliseconds lease{10'000};
  std::shared_ptr<logical_clock> clock = std::make_shared<logical_clock>();
};

struct gossip_state {
  static inline const char* name = "gossip";

  using time_point = std::chrono::steady_clock::time_point;

  /// Between two looks at who is silent for too long, and at what those left.
  static constexpr auto tick_interval = std::chrono::seconds{1};

  /// A tick that comes this much late says that the process did not run.
  static constexpr auto pause_min = std::chrono::seconds{1};

  /// All nodes lose a node at the same time: each then looks this much after the
  /// one before it, by name, so that they do not all read the ledger at once.
  static constexpr auto turn = std::chrono::milliseconds{20};
  static constexpr auto turns_max = std::chrono::milliseconds{800};

  /// How long the acknowledgement of a candidate waits for those of all members.
  /// Celery's own workers end if they hear one before they know of two.
  static constexpr auto ack_patience = std::chrono::seconds{1};

  void on_event(const worker_event& x);
  void on_membership(const worker_event& x);
  void on_elect(const worker_event& x);
  void on_ack(const worker_event& x);
  void on_election(const begin_election& x);
  void acknowledge(const std::string& id);
  void win(const elections::outcome& x);
  void tick();
  void heal();
  bool is_own(const worker_event& x) const;
  std::string describe() const;

  caf::event_based_actor* self = nullptr;
  gossip_options options;
  caf::actor events;
  caf::actor consumer;
  caf::actor writer;
  membership members;
  elections votes;
  std::map<std::string, size_t> unacknowledged; ///< candidates, by election
  std::optional<time_point> last_tick;
  time_point healed_at{}; ///< until when it looks for what lost nodes left
  uint64_t lost = 0;      ///< nodes so far
};

caf::behavior gossip(caf::stateful_actor<gossip_state>* self,
                     gossip_options options, caf::actor events,
                     caf::actor consumer, caf::actor writer);

} // namespace umbel
