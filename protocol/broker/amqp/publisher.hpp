// Publishing with confirms, pipelined: many messages are on their way before
// the first is confirmed, and all are before `publish` returns.
//
// What an error means for the messages is in its code: with `unavailable` none of
// them was sent; with `timeout` it is unknown which RabbitMQ has taken, and to
// send them again may double some.
#pragma once

#include "protocol/broker/amqp/connection.hpp"
#include "protocol/broker/amqp/message.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::amqp {

/// One message to publish.
struct parcel {
  std::string exchange; ///< empty: the anonymous one
  std::string routing_key;
  std::string_view payload; ///< an envelope; must outlive the call
  std::optional<int> priority; ///< none: the envelope's
  bool delayed = false;    ///< without expiration
  std::string dead_reason; ///< put into the header `dead_header`, if any
  bool broadcast = false;  ///< may reach nobody
};

/// Why a message is in a queue of dead letters.
inline constexpr std::string_view dead_header = "umbel_dead_reason";

class publisher {
public:
  /// Unconfirmed messages: more hide the way to the server, and are unknown
  /// after a failure.
  static constexpr size_t window_messages = 512;

  /// Less than a socket's buffers: to send never blocks for long.
  static constexpr size_t window_bytes = 256 * 1'024;

  /// Longest time without any confirm, if replies may take as long. RabbitMQ
  /// confirms what is persistent after a few milliseconds.
  static constexpr std::chrono::milliseconds patience_max{30'000};

  /// Turns confirms on. `x` must outlive this.
  /// @param reply_timeout how long a reply may take
  static expected<std::unique_ptr<publisher>>
  make(connection& x, std::chrono::milliseconds reply_timeout);

  /// Sends all and waits until RabbitMQ has taken all: for as long as it says that
  /// it is short of memory or disk space and takes nothing in.
  /// @returns for each whether there was a queue for it
  expected<std::vector<bool>> publish(std::span<const parcel> batch);

private:
  publisher(connection& x, std::chrono::milliseconds patience)
      : connection_(&x), patience_(patience) {
  }

  struct run {
    std::span<const parcel> batch;
    std::vector<bool> confirmed;
    std::vector<bool> routed;
    size_t sent = 0;
    size_t settled = 0; ///< all before this one are confirmed
    size_t open = 0; ///< sent, not confirmed
    size_t open_bytes = 0;
    uint64_t first = 0; ///< publish number of the batch's first
  };

  expected<void> send(run& x);
  expected<void> hear(run& x, std::chrono::milliseconds timeout);
  expected<void> on_confirm(run& x, uint64_t tag, bool multiple, bool taken);
  expected<void> on_return(run& x, const amqp_basic_return_t& what);
  error unknown(const run& x, const error& why) const;

  connection* connection_;
  std::chrono::milliseconds patience_;
  outgoing message_;
  uint64_t published_ = 0; ///< on this channel
};

} // namespace umbel::amqp
