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
// Where the broker can be polled it connects only, and a courier reserves.
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

  /// Longest wait in one go. Messages to this actor are read in between.
  static constexpr auto wait_max = std::chrono::seconds{1};

  ~reader_state();

  /// How long it keeps what was sent ahead when it has no credit.
  static constexpr auto keep_ahead = std::chrono::milliseconds{100};

  void connect();
  void connect_polled(const broker_options& options);
  void fetch();
  void consume_anew();
  bool pause();
  void pause_soon();
  void on_idle(uint64_t fetches_then);
  void fail(const error& x);
  void fail_to_connect(const error& x);
  std::string describe() const;

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<incarnation> life;
  caf::actor consumer;
  std::unique_ptr<broker> connection;
  caf::actor writer;
  caf::actor hands; ///< the courier, where there is one
  std::string location; ///< of the connection; empty: not connected
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
