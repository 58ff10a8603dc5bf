// One connection to RabbitMQ, logged in, and what every use of it needs:
// errors as one readable line, and heartbeats.
//
// Not thread-safe. After an error that is not an answer to one request the
// connection is finished.
#pragma once

#include "protocol/broker/amqp/address.hpp"
#include "protocol/broker/broker.hpp"

#include <amqp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace umbel::amqp {

/// The channel that messages use.
inline constexpr amqp_channel_t main_channel = 1;

/// The channel of requests that may fail: RabbitMQ answers "no such queue" by
/// closing it, and another is opened.
inline constexpr amqp_channel_t side_channel = 2;

class connection {
public:
  // -- constructors, destructors ----------------------------------------------

  /// Connects to the first of the alternatives in `urls` that can be had, logs
  /// in and opens the main channel.
  /// @param purpose what the management interface shows: "celery@host consume"
  /// @returns `invalid_setting` for a URL or file that cannot be meant,
  /// `refused` if the server knows neither login nor vhost, `unavailable` or
  /// `timeout` if it cannot be reached
  static expected<std::unique_ptr<connection>>
  open(const std::string& urls, const broker_options& options,
       const std::string& purpose);

  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  ~connection();

  // -- requests ---------------------------------------------------------------

  /// What came of a request on the main channel.
  expected<void> check(const amqp_rpc_reply_t& x, const std::string& doing);

  /// What came of sending without an answer.
  expected<void> check(int status, const std::string& doing);

  /// Ends the main channel, and waits until the server has: what was acknowledged
  /// there is acknowledged then, and the rest goes back. Who only hangs up while
  /// deliveries are still coming may lose his last acknowledgements.
  expected<void> close_main_channel();

  /// Opens the side channel if need be.
  expected<void> open_side_channel();

  /// What was taken there and not acknowledged goes back.
  expected<void> close_side_channel();

  /// What came of a request on the side channel: also `not_found` or `refused`,
  /// after which the connection lives on.
  expected<void> check_side(const amqp_rpc_reply_t& x,
                            const std::string& doing);

  // -- frames -----------------------------------------------------------------

  /// The next frame that is no answer to a request, or nothing after `timeout`.
  /// Frames that mean the end come as errors.
  expected<std::optional<amqp_frame_t>> next(std::chrono::milliseconds timeout,
                                             const std::string& doing);

  /// What this frame is an error of, if it is one: closed by the server,
  /// consumer cancelled. Connection.blocked and unblocked are noted, and
  /// the operator is told.
  expected<void> judge(const amqp_frame_t& x, const std::string& doing);

  /// Whether frames wait in memory, where poll does not see them.
  bool has_frames() const noexcept;

  /// RabbitMQ takes nothing in, because it is short of memory or disk space.
  bool blocked() const noexcept {
    return blocked_;
  }

  /// For who waits until it is no longer blocked, to be called about every
  /// `blocked_look`: does what `meanwhile` says, and reminds the operator of it.
  /// @returns `timeout` if one that consumes nothing has waited for `blocked_max`:
  /// somebody waits for it, while a worker has all the time that it takes
  expected<void> while_blocked(const std::string& doing);

  static constexpr auto blocked_look = std::chrono::milliseconds{500};
  static constexpr auto blocked_max = std::chrono::seconds{30};

  /// What has to go on while somebody waits.
  void set_meanwhile(std::function<void()> x) {
    meanwhile_ = std::move(x);
  }

  /// Says goodbye and ends the connection, but keeps the socket: somebody may
  /// be waiting for it, and wakes now.
  void hang_up() noexcept;

  // -- properties -------------------------------------------------------------

  amqp_connection_state_t handle() const noexcept {
    return state_;
  }

  int fd() const noexcept;

  /// For logs: "amqp://guest:**@localhost:5672//".
  const std::string& location() const noexcept {
    return location_;
  }

  /// "cannot <doing> on <location>: <why>"
  error failure(errc code, const std::string& doing, std::string why) const;

private:
  connection(const address& to, amqp_connection_state_t state);

  expected<void> connect(const address& to, const broker_options& options);
  expected<void> log_in(const address& to, const broker_options& options,
                        const std::string& purpose);

  void set_blocked(bool x, const std::string& line);

  amqp_connection_state_t state_;
  std::string location_;
  std::function<void(const std::string&)> tell_;
  std::shared_ptr<shared_connections> shared_; ///< null: nobody else's
  bool side_open_ = false;
  bool blocked_ = false;
  bool patient_ = false; ///< waits as long as it is blocked
  std::function<void()> meanwhile_ = [] {};
  std::chrono::steady_clock::time_point blocked_at_{};
  std::chrono::steady_clock::time_point told_at_{}; ///< that it is
  bool logged_in_ = false;
};

} // namespace umbel::amqp
