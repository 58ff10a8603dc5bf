// Reserving and settling on Redis without blocking: the scripts and the listener
// of redis_broker, with exchanges that are carried on when a socket is ready.
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
  polled_connection(std::unique_ptr<connection> x, descriptor_set watched);

  connection& operator*() const noexcept {
    return *connection_;
  }

  connection* operator->() const noexcept {
    return connection_.get();
  }

  descriptor_set& watched() noexcept {
    return watched_;
  }

  int descriptor() const noexcept {
    return watched_.fd();
  }

  /// @param x must stay where it is until it is done, which it must be within
  ///          `limit`
  expected<void> begin(exchange& x, std::chrono::milliseconds limit);

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
  descriptor_set watched_;
  std::deque<begun> under_way_; // in the order of their replies
  bool watches_output_ = false;
};

class polled_redis_broker final : public polled_broker {
public:
  /// @param announcements of the queues that `main` has looked at
  polled_redis_broker(polled_connection main,
                      std::unique_ptr<listener> announcements,
                      const broker_options& options);

  std::string location() const override;
  int descriptor() const noexcept override;
  bool stores_results() const override;
  expected<void> declare(std::span<const queue_name> queues) override;
  void consume(std::span<const queue_name> queues) override;
  expected<std::optional<std::vector<delivery>>>
  begin_reserve(size_t max) override;
  expected<void> begin_settle(std::vector<settlement> batch) override;
  expected<news> advance() override;

private:
  expected<void> end_reserve(news& result);
  expected<void> go_on_settling(news& result);

  polled_connection main_;
  std::unique_ptr<listener> listener_; // on `main_`
  keys keys_;
  broker_options options_;
  bool stores_results_;
  reservation reservation_;
  size_t wanted_ = 0;
  std::optional<exchange> reserving_; // `wanted_`, on `main_`
  settlement_words words_;
  std::vector<settlement> batch_;
  std::optional<settling> settling_; // of `batch_`, on `main_`
  bool sign_wanted_ = false; // the next answer is a sign of life as well
};

} // namespace redis

} // namespace umbel
