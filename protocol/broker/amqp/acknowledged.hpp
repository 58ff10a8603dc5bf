// What was acknowledged a moment ago.
//
// An acknowledgement has no answer. When the connection is lost, or RabbitMQ is
// killed before it has written it down, the message comes back although its task
// has run to its end, its result is stored and its follow-ups are published. Such
// a message is recognized here, and acknowledged again instead of run again.
//
// It has to be the very same message (see `fingerprint`), marked as redelivered,
// soon after a connection was lost that had acknowledged it a short time before.
// When it is not certain, it is forgotten: a task that runs twice is better than
// one that does not run.
//
// Bounds: `most` messages, some 80 bytes each.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <utility>

namespace umbel::amqp {

class acknowledged {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// RabbitMQ keeps as many acknowledgements of a classic queue in its memory
  /// (queue_index_max_journal_entries) before it writes them down.
  static constexpr size_t most = 32'768;

  /// What was acknowledged longer before the connection was lost is certain.
  static constexpr auto before = std::chrono::seconds{30};

  /// What has not come back so long after there was a connection again never will.
  static constexpr auto after = std::chrono::seconds{60};

  /// Was acknowledged over the present channel.
  /// @param fingerprint of the message; 0: it has none
  /// @param sequence the number in its tag
  void add(uint64_t fingerprint, uint64_t sequence, time_point now);

  /// A dead channel delivered it, and nobody has to hear of it any more.
  void add_in_doubt(uint64_t fingerprint, uint64_t sequence, time_point now);

  /// The channel is gone.
  void on_channel_lost(time_point now);

  /// There is another one.
  void on_channel_opened(time_point now) noexcept;

  /// Whether this message, which is marked as redelivered, was acknowledged
  /// over a dead channel. It is forgotten by that: the next one runs.
  bool take(uint64_t fingerprint, time_point now);

  /// There is another message like it that is to run.
  void forget(uint64_t fingerprint);

  /// The same, of what had this number.
  void forget_sequence(uint64_t sequence);

private:
  struct note {
    uint64_t sequence;
    uint64_t channel;
    time_point at;
  };

  void insert(uint64_t fingerprint, const note& x);

  std::unordered_map<uint64_t, note> notes_; ///< by fingerprint
  std::deque<std::pair<uint64_t, uint64_t>> order_; ///< fingerprint, sequence
  uint64_t channel_ = 1;
  time_point opened_{};
};

} // namespace umbel::amqp
