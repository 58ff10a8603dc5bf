// The feed: the connection over which messages come to one life of a worker.
//
// AMQP takes an acknowledgement only on the channel that delivered. The reader
// reserves, the writer settles, and the publisher settles what publishes something,
// each with a broker object and in a thread of its own: they share this one. It is
// found through `broker_options::shared` and closed when the life ends.
//
//   reader: take, wait, pause, change     writer: owns, finish, settle, serve, close
//   publisher: owns, payload, settle, remember, remembers, serve
//
// A mutex is held for each call, but not while the reader waits for messages. Where it
// waits for an answer, that is not for long, and `serve` leaves it alone. What was
// delivered and is not settled is in its `ledger`, which also knows what comes
// back after a connection was lost, and keeps acknowledgements for some milliseconds:
// the reader looks after them while it waits, the writer whenever it settles. While
// the feed pauses none is kept.
//
// RabbitMQ sends ahead as many messages as `prefetch` says. That is fixed when
// a consumer is registered (quorum queues know nothing else); when it holds the
// worker up, consumers are registered anew with four times as many, and after
// a pause with the first number again.
//
// Bounds: prefetch_max messages for each queue (while it grows up to twice as
// many), in memory with their payloads.
#pragma once

#include "protocol/broker/amqp/connection.hpp"
#include "protocol/broker/amqp/ledger.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/broker/wake_event.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace umbel::amqp {

class feed {
public:
  // -- constructors, destructors ----------------------------------------------

  /// The feed of this life of a worker; opens no connection yet.
  static expected<std::shared_ptr<feed>> of(const std::string& url,
                                            const broker_options& options);

  feed(std::string url, const broker_options& options, wake_event ready);

  // -- the reader's side ------------------------------------------------------

  /// A reader begins, whose next tag has this number: what was handed out
  /// under it and later ones was not received, and goes back. A connection that
  /// has become deaf is closed, and its consumers are registered anew in any case.
  expected<void> begin(uint64_t first_sequence);

  /// Hands out up to `max` messages that have arrived, round robin between
  /// queues. Connects and registers consumers if need be.
  expected<std::vector<delivery>> take(size_t max);

  /// Blocks until something may have arrived, `wake` is signalled, or `timeout`
  /// has passed.
  expected<void> wait(std::chrono::milliseconds timeout,
                      wake_event& wake);

  /// Cancels the consumers and gives back what was not handed out.
  expected<void> pause();

  /// Takes messages from these queues from now on, and from no others: what was
  /// sent ahead from those goes back.
  expected<void> change(std::span<const queue_name> queues);

  // -- the writer's and the publisher's side ----------------------------------

  /// Whether this tag was handed out and is unsettled. If it is not, it will
  /// never be again.
  bool owns(const delivery_tag& tag);

  /// The payload of what `owns` is true of.
  std::optional<std::string> payload(const delivery_tag& tag);

  /// The task has ended, or may be forgotten, and nothing is left to be stored or
  /// published: should its message come back, it is acknowledged.
  void finish(const delivery_tag& tag);

  /// Settles what is owned. With what no longer is, nothing is left to be done.
  void settle(std::span<const std::pair<delivery_tag, verdict>> batch);

  /// What follows from a message that was acknowledged before is published.
  void remember(const delivery_tag& tag);

  /// Whether it was.
  bool remembers(const delivery_tag& tag);

  /// Looks after heartbeats, and takes in what has arrived.
  void serve();

  /// Closes the connection: RabbitMQ gives everything unsettled to others.
  void close();

private:
  /// A queue. Its place in `lanes_` stays its own, as long as the feed lives.
  struct lane {
    queue_name queue;
    std::string consumer = {}; ///< its tag; empty: not registered
    std::deque<uint64_t> arrived = {}; ///< delivery tags, not handed out
    bool wanted = true; ///< if not, its number is kept for what is in hand
  };

  expected<void> connect();
  bool answers();
  expected<void> register_consumers();
  expected<void> cancel();
  expected<void> pump(size_t enough);
  expected<bool> accept(const amqp_envelope_t& x);
  expected<void> give_back(std::span<const uint64_t> numbers);
  bool send_all(std::span<const ledger::frame> frames);
  bool acknowledge_overdue();
  bool send(const ledger::frame& x);
  void lose();
  void alert();
  void report();

  std::mutex mutex_;
  std::string url_;
  broker_options options_;
  wake_event ready_; ///< something came in while the writer was here
  std::unique_ptr<connection> connection_;
  bool broken_ = false; ///< the connection is finished; the reader replaces it
  std::optional<error> fault_; ///< what the reader has not been told yet
  std::vector<lane> lanes_;
  size_t first_lane_ = 0; ///< where the next round begins
  bool consuming_ = false;
  size_t prefetch_;
  uint64_t consumers_ = 0; ///< registered so far: no tag twice
  ledger ledger_;
  size_t num_in_hand_ = 0; ///< came back while their tasks were here, unreported
  size_t num_done_ = 0;    ///< came back although they were acknowledged
  std::deque<delivery_tag> remembered_;
};

} // namespace umbel::amqp
