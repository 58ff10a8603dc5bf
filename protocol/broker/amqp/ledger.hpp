// The ledger: which messages are in the hands of one life of a worker, over all
// the channels that it has had.
//
//  1. numbers what arrives: the number in a tag is the number before the channel
//     was opened plus the channel's delivery tag;
//  2. says what may be settled, and in how few frames. An acknowledgement waits a
//     moment for those of what was delivered before: together they are one frame,
//     while RabbitMQ walks through all that is open for each that is out of turn;
//  3. lets everything go with its channel: RabbitMQ gives it to somebody again,
//     and what a dead channel delivered is not settled on a new one;
//  4. except that the same message comes back to this very worker. If its task is
//     still in hand, it is not handed out again: its old tag holds once more. If it
//     was acknowledged a moment before (see `acknowledged`), it is acknowledged
//     again.
//
// Not thread-safe, and without a clock: time is handed in.
//
// Bounds: what RabbitMQ may send ahead, with payloads. A kept acknowledgement is
// a number and a time.
#pragma once

#include "protocol/broker/amqp/acknowledged.hpp"
#include "protocol/names.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace umbel::amqp {

/// What a settlement does with a delivery.
enum class verdict : uint8_t {
  ack,    ///< done with
  moved,  ///< done with, because it was published anew
  nack,   ///< back on its queue, as near to its old place as may be
  reject, ///< done with; to the queue's dead-letter exchange if it has one
};

class ledger {
public:
  using time_point = acknowledged::time_point;

  /// One delivery.
  struct entry {
    size_t lane = 0; ///< of the feed
    bool handed_out = false;
    bool returns_often = false; ///< is near a quorum queue's delivery-limit
    uint64_t fingerprint = 0;   ///< 0: cannot be told from others
    uint64_t sequence = 0;      ///< the number in its tag
    std::string payload;
  };

  /// What a message is that arrives.
  enum class arrival {
    fresh,   ///< it has to be added, and handed out
    in_hand, ///< its task is here already; its old tag holds again
    done,    ///< its task has run to its end: acknowledge it again
  };

  /// One frame that settles.
  struct frame {
    uint64_t number; ///< delivery tag
    verdict what;
    bool multiple; ///< with all before it
  };

  using entries = std::map<uint64_t, entry>; ///< by delivery tag
  using verdicts = std::map<uint64_t, verdict>;

  explicit ledger(std::string tag_prefix) : tag_prefix_(std::move(tag_prefix)) {
  }

  // -- channels ---------------------------------------------------------------

  void on_channel_opened(time_point now) noexcept {
    acknowledged_.on_channel_opened(now);
  }

  void on_channel_lost(time_point now);

  /// The reader's next tag has this number. @returns what was handed out under
  /// it and later ones, and not received.
  std::vector<uint64_t> on_reader(uint64_t first_sequence, bool has_channel);

  // -- deliveries -------------------------------------------------------------

  arrival on_arrival(uint64_t number, uint64_t fingerprint, bool redelivered,
                     time_point now);

  /// @pre it is fresh
  void add(uint64_t number, entry x);

  /// Hands it out. @pre it is there
  const std::string& hand_out(uint64_t number);

  std::string tag(uint64_t number) const;

  /// Whether this tag was handed out and may be settled. If not, it never will
  /// be: should the message come back, it is handed out anew.
  const entry* claim(const delivery_tag& x);

  /// This tag is done with, and nothing else has to be done with it. If its
  /// channel is dead, the message is acknowledged should it come back.
  void finish(const delivery_tag& x, time_point now);

  /// Its delivery tag on the present channel, if it may be settled.
  std::optional<uint64_t> number_of(const delivery_tag& x) const;

  /// Something is published that is like what had this tag.
  void forget(const delivery_tag& x);

  /// An acknowledgement waits so long for those before it.
  static constexpr auto keep_max = std::chrono::milliseconds{10};

  /// Takes the entries out. @returns one frame for a run at the beginning, one
  /// for each of the others that is not acknowledged; acknowledgements of what is
  /// not at the beginning are kept. @pre they are there
  std::vector<frame> settle(verdicts what, time_point now);

  /// Acknowledgements that must be sent now, a frame for each: all that are kept
  /// if there are more than `most`, else those that were kept for `keep_max`.
  std::vector<frame> overdue(time_point now, size_t most);

  /// When the first of those that are kept is overdue.
  std::optional<time_point> due() const;

  /// How many are kept. To RabbitMQ, they are open.
  size_t kept() const noexcept {
    return kept_.size();
  }

  const entries& open() const noexcept {
    return open_;
  }

private:
  std::optional<uint64_t> sequence_of(const delivery_tag& x) const;
  std::optional<uint64_t> find(uint64_t sequence) const;
  void let_go(uint64_t sequence);
  void remove(entries::iterator x, verdict what, time_point now);
  void add_run(std::vector<frame>& to);

  std::string tag_prefix_;
  uint64_t base_ = 0; ///< sequence number of delivery tag 0
  uint64_t last_ = 0; ///< the last delivery tag of this channel
  entries open_;
  std::map<uint64_t, time_point> kept_; ///< since when; by delivery tag
  std::unordered_map<uint64_t, uint64_t> returned_; ///< delivery tags, by old sequence
  std::map<uint64_t, entry> in_doubt_; ///< of dead channels, in hand; by sequence
  std::unordered_map<uint64_t, uint64_t> doubts_; ///< sequences, by fingerprint
  acknowledged acknowledged_;
};

} // namespace umbel::amqp
