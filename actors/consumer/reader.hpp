// reader: the connection that reserves messages.
//
//  1. when the writer is connected, and so holds the lease under which this one
//     reserves, connects too and tells the consumer that it is up;
//  2. while it has credit, reserves batches and sends them on; when there is
//     nothing, waits for more without taking anything;
//  3. when it has had no credit for a moment, or shall pause, has what the
//     broker sent ahead go back: others may have room for it;
//  4. consumes other queues when remote control has changed them.
//
// Detached: it blocks in the broker's socket. It ends with the error that the
// connection met; the supervisor `connections` starts a new one.
#pragma once

#include "actors/consumer/messages.hpp"
#include "actors/consumer/incarnation.hpp"
#include "actors/supervision/description.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <memory>
#include <string>

namespace umbel {

struct reader_state {
  static inline const char* name = "reader";

  /// Most messages of one reservation. More: fewer round trips, but the server
  /// is busy with one script for longer.
  static constexpr size_t batch_max = 512;

  /// Longest wait in one go. Messages to this actor are read in between.
  static constexpr auto wait_max = std::chrono::seconds{1};

  ~reader_state();

  /// How long it keeps what was sent ahead when it has no credit.
  static constexpr auto keep_ahead = std::chrono::milliseconds{100};

  void connect();
  void fetch();
  void consume_anew();
  bool pause();
  void pause_soon();
  void on_idle(uint64_t fetches_then);
  void fail(const error& x);
  void fail_to_connect(const error& x);

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<incarnation> life;
  caf::actor consumer;
  std::unique_ptr<broker> connection;
  size_t credit = 0;
  bool drained = false;  ///< the last batch took all there was
  bool fetching = false; ///< a message to itself is under way
  uint64_t fetches = 0;  ///< so far
  bool pause_pending = false;
};

caf::behavior reader(caf::stateful_actor<reader_state>* self,
                     std::shared_ptr<incarnation> life, caf::actor consumer,
                     caf::actor writer);

} // namespace umbel
