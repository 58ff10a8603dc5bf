// A broker on Redis (6.2 or newer): Celery's keys, and delivery as a lease.
//
// Every step that must not be torn is one Lua script (*.lua in this folder);
// README.md tells the story of one message. Opened by `connect_broker`.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/entry.hpp"
#include "protocol/broker/redis/keys.hpp"
#include "protocol/broker/redis/listener.hpp"
#include "protocol/broker/redis/reservation.hpp"
#include "protocol/broker/redis/settling.hpp"
#include "protocol/broker/wake_event.hpp"

#include <memory>

namespace umbel {

/// Connects to a Redis URL; `invalid_setting` if it is none.
expected<std::unique_ptr<broker>>
connect_redis_broker(const std::string& url, const broker_options& options);

namespace redis {

/// How a connection without scripts is opened: how long to wait, for whatever.
connection_options timeouts_of(const broker_options& x);

/// For a broker's connections: with all scripts.
connection_options connection_options_of(const broker_options& x);

/// Binds queues to their exchanges (queue_bindings.cpp).
expected<void> declare_queues(connection& where, const keys& names,
                              const broker_options& options,
                              std::span<const queue_name> queues);

/// Whether results live where this connection leads to.
bool stores_results(const connection& where, const broker_options& options);

} // namespace redis

class redis_broker final : public broker {
public:
  // -- constructors, destructors ----------------------------------------------

  /// @param main is logged in and has the scripts loaded.
  redis_broker(std::unique_ptr<redis::connection> main, wake_event wake,
               const broker_options& options);

  // -- broker -----------------------------------------------------------------

  std::string location() const override;
  expected<std::vector<delivery>> reserve(size_t max) override;
  expected<void> wait(std::chrono::milliseconds timeout) override;
  expected<void> consume(std::span<const queue_name> queues) override;
  void interrupt() noexcept override;
  expected<std::vector<bool>>
  settle(std::span<const settlement> batch) override;
  bool stores_results() const override;
  bool counts_chords() const override;
  expected<std::vector<bool>>
  owned(std::span<const delivery_tag> tags) override;
  expected<void> renew(std::span<const delivery_tag> tags) override;
  lease_state lease() const override;
  expected<void> release() override;
  expected<recovery_report> recover() override;
  expected<forward_report> forward() override;
  expected<std::vector<turn>>
  take_turns(std::span<const turn_request> batch) override;
  expected<std::vector<std::string>>
  claim_keys(std::span<const key_claim> batch) override;
  expected<void>
  remember_revoked(std::span<const revoked_task> tasks) override;
  expected<std::vector<revoked_task>> revoked() override;
  expected<void> declare(std::span<const queue_name> queues) override;
  expected<void> publish(std::span<const outgoing_message> batch) override;
  expected<size_t> publish(const std::string& exchange,
                           const std::string& routing_key,
                           const std::string& payload, int priority) override;
  expected<size_t> size(const queue_name& queue) override;
  expected<std::vector<dead_letter>> dead_letters(const queue_name& queue,
                                                  size_t max) override;
  expected<std::vector<queue_name>> dead_queues() override;
  expected<size_t> take_dead(const queue_name& queue,
                             std::span<const std::string> ids,
                             dead_fate fate) override;
  expected<size_t> purge(const queue_name& queue) override;

  // -- fanout -----------------------------------------------------------------

  /// Publishes to whoever listens on a fanout exchange right now.
  /// @returns how many that were.
  expected<size_t> publish_fanout(const std::string& exchange,
                                  const std::string& routing_key,
                                  const std::string& payload);

private:
  // -- reserving (redis_broker.cpp) -------------------------------------------

  expected<void> listen();

  // -- recovering (recovery.cpp) ----------------------------------------------

  struct tagged {
    std::string_view tag;
    std::string_view entry;
  };

  // One step of restore.lua with its two values.
  struct step {
    char letter;
    std::string list;
    std::string text;
  };

  expected<size_t> recover_stale();
  expected<size_t> recover_owner(const std::string& incarnation,
                                 const std::string& node);
  expected<std::vector<std::pair<std::string, std::string>>>
  dead_owners(std::span<const std::string> forget);
  expected<size_t> restore(std::string_view condition, std::string_view value,
                           std::span<const tagged> entries);
  expected<std::vector<step>> steps_for(std::string_view entry);

  // -- exchanges (queue_bindings.cpp) -----------------------------------------

  expected<void> keep_fanout();
  expected<void> end_fanout(const std::string& node,
                            const std::string& incarnation);

  // -- routing ----------------------------------------------------------------

  expected<std::vector<std::string>> route(const std::string& exchange,
                                           const std::string& routing_key);
  expected<std::vector<outgoing_message>>
  routed(std::span<const outgoing_message> batch, std::optional<error>& duplicate);

  broker_options options_;
  redis::keys keys_;
  std::unique_ptr<redis::connection> main_;
  redis::places places_;
  std::unique_ptr<redis::listener> listener_; // from the first reserve on
  wake_event wake_;
  bool stores_results_ = false;
  lease_state lease_ = lease_state::held;
  redis::reservation reservation_;
  redis::settlement_words words_;
  bool drained_ = false; ///< the next message will be announced to listener_
};

} // namespace umbel
