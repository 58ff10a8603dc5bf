// courier: reserves and settles where the broker can be polled.
//
//  1. tells the consumer that it is up, in the place of the reader, who has
//     opened the connection, and in that of the writer, if the broker stores
//     results;
//  2. while it has credit, asks for batches and sends them on; the broker answers
//     when there are messages, or when it is hurried, because the consumer wants
//     it to pause or to consume other queues, or the watchdog a sign of life;
//  3. carries out settlements, one batch at a time: what comes meanwhile is the
//     next one; confirms them to the consumer, and tells the writer until when
//     it has delayed messages;
//  4. consumes other queues when remote control has changed them.
//
// On the multiplexer's thread, beside the consumer: a message that comes while
// the worker waits, or a result that goes out, wakes no other thread. Both take
// one connection, so that a worker has no more than it had without. It never
// blocks. It ends with the error that the connection met, and the reader, to whom
// it is linked, with it.
#pragma once

#include "actors/consumer/incarnation.hpp"
#include "actors/consumer/messages.hpp"
#include "actors/consumer/pending_settlements.hpp"
#include "actors/descriptor_watch.hpp"
#include "actors/supervision/description.hpp"
#include "protocol/broker/polled.hpp"

#include <caf/behavior.hpp>
#include <caf/result.hpp>
#include <caf/stateful_actor.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

struct courier_state {
  /// Settlements on their way to the broker.
  struct settled_batch {
    uint64_t number = 0;
    std::optional<timestamp> due; ///< of delayed messages
  };

  static inline const char* name = "courier";

  void advance();
  void fail(const error& x);
  std::string describe() const;

  // -- reserving --------------------------------------------------------------

  void fetch();
  void on_batch(std::vector<delivery> batch);
  void on_call(caf::actor caller);
  void pause();
  void hurry();
  caf::result<queues_taken> consume_anew();

  // -- settling ---------------------------------------------------------------

  void add(const settle_batch& x);
  void settle();
  void on_settled();

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<incarnation> life;
  caf::actor consumer;
  caf::actor writer;
  std::shared_ptr<polled_broker> connection;
  std::optional<descriptor_watch> watch; ///< on `connection`

  size_t credit = 0;
  size_t wanted = 0;    ///< what the broker was asked for; 0: nothing
  bool pausing = false; ///< the consumer waits for `reader_paused`
  bool changing = false; ///< other queues are to be consumed before more is asked for
  std::vector<caf::actor> callers; ///< who wait for `reader_alive`

  pending_settlements pending;
  bool settle_under_way = false; ///< a message to itself
  std::optional<settled_batch> settling;
};

/// @param writer is told of delayed messages
caf::behavior courier(caf::stateful_actor<courier_state>* self,
                      std::shared_ptr<incarnation> life, caf::actor consumer,
                      caf::actor writer,
                      std::shared_ptr<polled_broker> connection);

} // namespace umbel
