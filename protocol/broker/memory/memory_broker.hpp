// The in-memory broker: `memory://name`. For tests, and for programs that
// produce and consume their tasks in one process.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/memory/memory_hub.hpp"

#include <memory>
#include <string>

namespace umbel {

/// One connection to a hub. Never fails: there is nothing that could be cut.
class memory_broker : public broker {
public:
  memory_broker(const std::string& url, const broker_options& options);

  std::string location() const override;

  expected<std::vector<delivery>> reserve(size_t max) override;
  expected<void> wait(std::chrono::milliseconds timeout) override;
  expected<void> consume(std::span<const queue_name> queues) override;
  void interrupt() noexcept override;

  /// @returns `unsupported` if a settlement brings a result that belongs into
  /// another result store; nothing has happened then.
  expected<std::vector<bool>>
  settle(std::span<const settlement> batch) override;
  bool stores_results() const override;
  expected<std::vector<bool>>
  owned(std::span<const delivery_tag> tags) override;

  expected<void> renew(std::span<const delivery_tag> tags) override;
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

private:
  std::string name_;
  std::shared_ptr<memory_hub> hub_;
  memory_client self_;
};

/// The hub behind a URL: connections with the same name and the same
/// `global_keyprefix` share it.
std::shared_ptr<memory_hub> memory_hub_of(const std::string& url,
                                          const broker_options& options);

/// Cannot fail.
std::unique_ptr<broker> connect_memory_broker(const std::string& url,
                                              const broker_options& options);

} // namespace umbel
