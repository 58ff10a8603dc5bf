// Reserving and settling on Redis without blocking: the scripts and the listener
// of redis_broker, with exchanges that are carried on when a socket is ready.
//
// Two connections, because one waits: where the queues had nothing more, the next
// reservation is sent at once, behind a BLMOVE that moves nothing but ends when a
// message is pushed to the first queue's most urgent list, where nearly all come
// from. So the message arrives, reserved, in the first answer, and a worker that
// waits spares two of the four hops that hearing of it and asking for it take.
// What comes to other lists is announced to the listener, as with redis_broker, and
// CLIENT UNBLOCK over the other connection ends the wait. Nothing is taken but by
// reserve.lua, which takes nothing for a worker whose lease has ended, nor for a
// connection that was given up for lost and has a successor.
#pragma once

#include "protocol/broker/polled.hpp"
#include "protocol/broker/redis/descriptor_set.hpp"
#include "protocol/broker/redis/exchange.hpp"
#include "protocol/broker/redis/listener.hpp"
#include "protocol/broker/redis/reservation.hpp"
#include "protocol/broker/redis/settling.hpp"

#include <chrono>
#include <deque>
#include <memory>
#include <optional>

namespace umbel {

expected<std::unique_ptr<polled_broker>>
connect_polled_redis_broker(const std::string& url,
                            const broker_options& options);

namespace redis {

/// A connection with several exchanges on their way, which are carried on when
/// its socket is ready. Their commands go out, and their replies come, in the
/// order in which they were begun.
class polled_connection {
public:
  /// @param watched has its socket; must outlive this object
  polled_connection(std::unique_ptr<connection> x, descriptor_set& watched);

  connection& operator*() const noexcept {
    return *connection_;
  }

  connection* operator->() const noexcept {
    return connection_.get();
  }

  /// @param x must stay where it is until it is done, which it must be within
  ///          `limit`; none: whenever it is
  expected<void> begin(exchange& x,
                       std::optional<std::chrono::milliseconds> limit);

  /// All that was begun must be done within so long from now.
  void limit(std::chrono::milliseconds x);

  /// Sends and reads what can be sent and read without waiting.
  /// @returns `timeout` if a reply is overdue
  expected<void> advance();

private:
  using clock = std::chrono::steady_clock;

  struct begun {
    exchange* what;
    clock::time_point deadline;
  };

  expected<void> send();
  expected<void> check_idle();
  expected<void> check_deadlines();

  std::unique_ptr<connection> connection_;
  descriptor_set& watched_;
  std::deque<begun> under_way_; // in the order of their replies
  bool watches_output_ = false;
};

class polled_redis_broker final : public polled_broker {
public:
  /// What it is opened with.
  struct parts {
    descriptor_set watched; ///< has all sockets
    std::unique_ptr<connection> reserving;
    std::string name;         ///< by which reserve.lua knows it
    std::string reserving_id; ///< by which CLIENT UNBLOCK knows it
    bool can_wait = true;     ///< that is allowed
    std::unique_ptr<listener> announcements; ///< of what `reserving` has looked at
    std::unique_ptr<connection> settling;
  };

  polled_redis_broker(parts x, const broker_options& options);

  std::string location() const override;
  int descriptor() const noexcept override;
  bool stores_results() const override;
  expected<void> declare(std::span<const queue_name> queues) override;
  void consume(std::span<const queue_name> queues) override;
  expected<std::optional<std::vector<delivery>>>
  begin_reserve(size_t max) override;
  expected<void> hurry() override;
  expected<void> begin_settle(std::vector<settlement> batch) override;
  expected<news> advance() override;

private:
  expected<void> ask();
  expected<void> wait();
  expected<void> hurry(std::chrono::milliseconds limit);
  expected<void> listen();
  expected<void> advance_unblocking();
  expected<void> end_reserve(news& result);
  expected<void> go_on_settling(news& result);

  keys keys_;
  broker_options options_;
  descriptor_set watched_;

  // -- reserving --------------------------------------------------------------

  /// What becomes of the reservation that was begun.
  enum class stage {
    none,    ///< there is none
    asked,   ///< it is answered at once
    waits,   ///< it is answered when there is a message on the first list
    put_off, ///< it is sent when a push has been announced: the server lets nobody wait
  };

  polled_connection source_;
  std::string source_id_;
  std::unique_ptr<listener> listener_; // on `source_`
  reservation reservation_;
  stage stage_ = stage::none;
  size_t wanted_ = 0;
  bool announced_ = false; // something, since it was begun
  bool drained_ = false;   // the queues had less than was wanted, and nothing came
  bool can_wait_;
  bool sign_wanted_ = false; // the next answer is a sign of life as well
  std::optional<exchange> reserving_;  // `wanted_`, on `source_`
  uint64_t waits_ = 0;                 // so many have been begun
  bool hurried_ = false;               // the server has to be told
  int tries_ = 0;                      // to tell it
  uint64_t unblocking_wait_ = 0;       // which of them is ended by
  std::optional<exchange> unblocking_; // on `sink_`

  // -- settling ---------------------------------------------------------------

  polled_connection sink_;
  bool stores_results_;
  settlement_words words_;
  std::vector<settlement> batch_;
  std::optional<settling> settling_; // of `batch_`, on `sink_`
};

} // namespace redis

} // namespace umbel
