// A broker on RabbitMQ (3.8 or newer), as Celery's peers use it. README.md tells
// how its delivery differs from a lease.
//
// This object has an outlet of its own, for publishing and for all that is
// asked; what it consumes comes through the feed that it shares with the other
// objects of one life of a worker. Opened by `connect_broker`.
#pragma once

#include "protocol/broker/amqp/feed.hpp"
#include "protocol/broker/amqp/outlet.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/broker/rate_table.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace umbel {

/// Connects to an AMQP URL, or to the first of several that can be had.
expected<std::unique_ptr<broker>>
connect_amqp_broker(const std::string& url, const broker_options& options);

class amqp_broker final : public broker {
public:
  // -- constructors, destructors ----------------------------------------------

  amqp_broker(std::shared_ptr<amqp::feed> source, amqp::outlet own,
              wake_event wake, const broker_options& options);

  // -- broker -----------------------------------------------------------------

  std::string location() const override;
  ownership reserved_until() const override;
  expected<std::vector<delivery>> reserve(size_t max) override;
  expected<void> wait(std::chrono::milliseconds timeout) override;
  expected<void> pause() override;
  expected<void> consume(std::span<const queue_name> queues) override;
  void interrupt() noexcept override;
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
  bool shares_turns() const override;
  bool counts_listeners() const override;
  expected<void> declare(std::span<const queue_name> queues) override;
  expected<void> publish(std::span<const outgoing_message> batch) override;
  expected<void> send_replies(std::span<const outgoing_message> batch) override;
  expected<size_t> publish(const std::string& exchange,
                           const std::string& routing_key,
                           const std::string& payload, int priority) override;
  expected<size_t> size(const queue_name& queue) override;
  expected<std::vector<dead_letter>> dead_letters(const queue_name& queue,
                                                  size_t max) override;
  expected<size_t> take_dead(const queue_name& queue,
                             std::span<const std::string> ids,
                             dead_fate fate) override;
  expected<size_t> purge(const queue_name& queue) override;

private:
  // -- settling (settling.cpp) ------------------------------------------------

  /// What a batch of settlements comes to.
  struct plan {
    std::vector<amqp::parcel> parcels;
    std::vector<std::string> payloads; ///< of parcels that have no other owner
    std::vector<std::pair<delivery_tag, amqp::verdict>> verdicts;
    std::vector<bool> effects;
    std::unordered_set<std::string_view> settled; ///< tags: each once
    /// Tags of what was acknowledged before; each once.
    std::unordered_set<std::string_view> followed;
  };

  expected<plan> plan_for(std::span<const settlement> batch);
  expected<void> add(plan& to, const settlement& x);
  expected<void> add_dead_letter(plan& to, const settlement& x);
  expected<void> add_delay(plan& to, const settlement& x, std::string payload);
  expected<void> add_to_queue(plan& to, const outgoing_message& x);
  expected<void> add_to_exchange(plan& to, const outgoing_message& x);

  broker_options options_;
  std::shared_ptr<amqp::feed> feed_;
  amqp::outlet own_;
  wake_event wake_;
  rate_table rates_;
  bool begun_ = false; ///< has reserved
};

} // namespace umbel
