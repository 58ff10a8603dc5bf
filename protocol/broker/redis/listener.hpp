// Waits for queues to change without taking anything from them.
//
// 1. Opens a second connection, subscribed to Redis's invalidation channel.
// 2. Switches on CLIENT TRACKING for the main connection, redirected to it: a
//    key that the main connection has read (reserve.lua looks at all lists when
//    it finds them empty) is announced once when it changes.
// 3. `wait` sleeps on both sockets and an eventfd.
//
// It serves any number of queues and priorities with two sockets, and an idle
// worker costs Redis nothing. Because tracking is on before the lists are read,
// a push between that reading and `wait` is seen.
#pragma once

#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/wake_event.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

namespace umbel::redis {

/// How a connection that died without a word is found out.
struct sign_of_life {
  std::chrono::milliseconds interval{10'000}; ///< how often the server is asked
  std::chrono::milliseconds timeout{10'000};  ///< how long its answer may take
};

/// What the main connection changes itself.
enum class own_changes {
  announced, ///< for one that puts messages back (recover): they end its next wait
  ignored,   ///< for one that only takes them
};

class listener {
public:
  /// @param main the connection that reads; must outlive this object.
  static expected<std::unique_ptr<listener>>
  open(connection& main, const connection_options& options, own_changes own,
       sign_of_life asking = {});

  /// Blocks until a tracked key changed, `timeout` has passed, or `wake` is
  /// signalled (which is cleared).
  /// @returns an error when either connection is lost.
  expected<void> wait(wake_event& wake, std::chrono::milliseconds timeout);

  struct news {
    bool announced = false; ///< a tracked key has changed
    /// It is time to ask the main connection for something, to see that the
    /// server is there; no answer within `patience` means that it is not.
    bool sign_wanted = false;
  };

  /// The same without blocking, for who waits until `fd` is readable and calls at
  /// least every second or so.
  expected<news> look();

  int fd() const noexcept {
    return second_->fd();
  }

  std::chrono::milliseconds patience() const noexcept {
    return std::min(asking_.timeout, socket_timeout_);
  }

private:
  using clock = std::chrono::steady_clock;

  listener(connection& main, std::unique_ptr<connection> second,
           std::chrono::milliseconds socket_timeout, sign_of_life asking);

  // Reads what has arrived. @returns whether there was an announcement.
  expected<bool> drain();

  // Asks both servers for a sign of life. @returns as `drain`.
  expected<bool> ping();

  connection& main_;
  std::unique_ptr<connection> second_;
  std::chrono::milliseconds socket_timeout_;
  sign_of_life asking_;
  clock::time_point next_ping_;
  std::optional<clock::time_point> pong_due_; // of `look`
};

} // namespace umbel::redis
