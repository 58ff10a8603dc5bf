// writer: the connection that settles.
//
//  1. connects, and tells the consumer, and the others that wait for it, that it
//     is up;
//  2. carries out settlements: everything that waits in its mailbox goes to the
//     broker in one pipeline, and is then confirmed to the consumer;
//  3. reads what was revoked, and keeps what is;
//  4. renews the lease, restores what others left, forwards what is due, asks
//     for turns under shared rate limits, counts what waits and makes new queues
//     known, when it is told to;
//  5. publishes answers to commands, and events. What the broker refuses of these
//     is logged and left.
//
// Where the broker can be polled, and stores results itself, the reader's courier
// settles. Where it may take nothing in for long (RabbitMQ), the publisher does what
// publishes, and the writer goes on: it confirms one by one the batches that are done.
// What counts a part of a chord whose body the publisher has waits until it is known
// whether that took effect.
//
// Where results live on another server than messages, it checks what is still
// owned, stores the results of that, counts parts of chords, and settles
// afterwards, with the bodies. So it does, but for chords, with rpc://, where
// results are messages to whoever has sent the task.
//
// When it finds that the lease was gone and others have taken what it covered, it
// ends, and its successor begins a new incarnation.
//
// Detached: it blocks in the broker's socket. It ends with the error that the
// connection met; the supervisor `connections` starts a new one.
#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/consumer/incarnation.hpp"
#include "actors/consumer/messages.hpp"
#include "actors/consumer/pending_settlements.hpp"
#include "actors/consumer/publisher.hpp"
#include "actors/supervision/description.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <deque>
#include <memory>
#include <span>
#include <vector>

namespace umbel {

/// A part of a chord from which something follows.
struct last_part {
  size_t settlement; ///< that publishes it: its place in the batch
  chord_part part;
};

/// What was handed over to the publisher.
struct handed_over {
  std::shared_ptr<const std::vector<settlement>> settlements;
  std::vector<uint64_t> batches; ///< that are not done before it is, each once
  std::vector<last_part> ended;  ///< of these settlements
};

struct writer_state {
  static inline const char* name = "writer";

  expected<std::unique_ptr<result_store>> open_results();
  void connect();
  void on_delayed(timestamp due);
  void add(const settle_batch& x);
  void flush_soon();
  void flush();

  // Where the broker does not do it in the step that settles. False: it has failed.
  bool drop_lost(std::vector<settlement>& batch);
  bool store_results(std::vector<settlement>& batch);
  /// @param ended gets the last parts, to be told when their bodies are published
  bool count_chords(std::vector<settlement>& batch,
                    std::vector<last_part>& ended);
  bool finish_chords(std::vector<last_part>& ended,
                     const std::vector<settlement>& batch,
                     const std::vector<bool>& settled);

  // To the publisher, where there is one (handing_over.cpp).
  void hold_back(std::vector<settlement>& batch, std::vector<uint64_t>& batches);
  void hand_over(std::vector<settlement>& batch, std::vector<last_part>& ended,
                 std::span<const uint64_t> batches);
  void on_settled_elsewhere(const settled_elsewhere& x);
  void confirm(std::span<const uint64_t> batches);

  void publish(const publish_message& x);
  void publish(const publish_tasks& x);
  void publish(const publish_events& x, const caf::actor& whom);
  expected<std::vector<std::string>> claim(std::span<const key_claim> claims);
  expected<void> renew(std::span<const delivery_tag> tags);
  void forward(caf::actor whom);
  void tell_of_turns();
  void begin_anew();
  void look_at_lease();
  bool check(const expected<void>& x);
  void on_await(caf::actor x);
  void count(const caf::actor& whom);
  void fail(const error& x);
  void fail_to_connect(const error& x);

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<incarnation> life;
  caf::actor consumer;
  caf::actor outbound; ///< the publisher; null: this one publishes
  std::deque<handed_over> elsewhere; ///< what it has, in order
  std::unique_ptr<broker> connection;
  std::unique_ptr<result_store> results; ///< null: the broker stores them
  pending_settlements pending;
  bool flush_under_way = false;
  std::vector<caf::actor> waiting; ///< to be told when there is a connection
  caf::actor forwarder; ///< null until it has asked
};

caf::behavior writer(caf::stateful_actor<writer_state>* self,
                     std::shared_ptr<incarnation> life, caf::actor consumer,
                     caf::actor outbound);

} // namespace umbel
