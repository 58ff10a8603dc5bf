// A broker's two busiest operations without blocking, for an event loop: to
// reserve and to settle. Only brokers offer it whose answers come through a
// descriptor that can be polled; all others are a `broker` alone.
//
// It is opened by a function that blocks; after that nothing blocks but what says
// so. Whenever its descriptor is readable, and at least every `poll_interval`,
// `advance` must be called: it reads what is there, so that the descriptor is not
// readable any more. Reserving and settling may go on at the same time, each once.
// After an error the object is finished, as with `broker`.
#pragma once

#include "protocol/broker/broker.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace umbel {

/// The longest time between two calls of `advance`: by it overdue answers are
/// noticed.
constexpr std::chrono::seconds poll_interval{2};

class polled_broker {
public:
  virtual ~polled_broker() = default;

  /// As `broker::location`.
  virtual std::string location() const = 0;

  virtual int descriptor() const noexcept = 0;

  /// As `broker::stores_results`. Where it does not, it does not settle either.
  virtual bool stores_results() const = 0;

  /// As `broker::declare`: it blocks. Before anything is begun.
  virtual expected<void> declare(std::span<const queue_name> queues) = 0;

  /// As `broker::consume`. While nothing is being reserved.
  virtual void consume(std::span<const queue_name> queues) = 0;

  /// Asks for messages. The answer comes when there are some, now and then
  /// without any.
  /// @param max 1 to 1,000
  /// @returns messages that were there already; or none, if there are no queues to
  /// ask for
  virtual expected<std::optional<std::vector<delivery>>>
  begin_reserve(size_t max) = 0;

  /// Has that answer come at once, even if there are no messages.
  virtual expected<void> hurry() = 0;

  virtual expected<void> begin_settle(std::vector<settlement> batch) = 0;

  struct news {
    /// The answer to `begin_reserve`.
    std::optional<std::vector<delivery>> reserved;
    /// What `broker::settle` returns: the batch is done.
    std::optional<std::vector<bool>> settled;
  };

  virtual expected<news> advance() = 0;
};

/// Whether the broker at this URL can be polled.
bool can_be_polled(const std::string& url);

/// Opens a connection. Errors are those of `connect_broker`; `unsupported` if the
/// broker cannot be polled.
expected<std::unique_ptr<polled_broker>>
connect_polled_broker(const std::string& url, const broker_options& options);

} // namespace umbel
