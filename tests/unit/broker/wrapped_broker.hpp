// A broker that has another one do everything. Those that do some of it in their
// own way derive from it.
#pragma once

#include "protocol/broker/broker.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace umbel::test {

class wrapped_broker : public broker {
public:
  explicit wrapped_broker(std::unique_ptr<broker> inner)
      : inner_(std::move(inner)) {
    // nop
  }

  std::string location() const override {
    return inner_->location();
  }

  ownership reserved_until() const override {
    return inner_->reserved_until();
  }

  expected<std::vector<delivery>> reserve(size_t max) override {
    return inner_->reserve(max);
  }

  expected<void> wait(std::chrono::milliseconds timeout) override {
    return inner_->wait(timeout);
  }

  expected<void> pause() override {
    return inner_->pause();
  }

  expected<void> consume(std::span<const queue_name> queues) override {
    return inner_->consume(queues);
  }

  void interrupt() noexcept override {
    inner_->interrupt();
  }

  expected<std::vector<bool>>
  settle(std::span<const settlement> batch) override {
    return inner_->settle(batch);
  }

  bool stores_results() const override {
    return inner_->stores_results();
  }

  bool counts_chords() const override {
    return inner_->counts_chords();
  }

  expected<std::vector<bool>>
  owned(std::span<const delivery_tag> tags) override {
    return inner_->owned(tags);
  }

  expected<void> renew(std::span<const delivery_tag> tags) override {
    return inner_->renew(tags);
  }

  lease_state lease() const override {
    return inner_->lease();
  }

  expected<void> release() override {
    return inner_->release();
  }

  expected<recovery_report> recover() override {
    return inner_->recover();
  }

  expected<forward_report> forward() override {
    return inner_->forward();
  }

  expected<std::vector<turn>>
  take_turns(std::span<const turn_request> batch) override {
    return inner_->take_turns(batch);
  }

  bool shares_turns() const override {
    return inner_->shares_turns();
  }

  expected<std::vector<std::string>>
  claim_keys(std::span<const key_claim> batch) override {
    return inner_->claim_keys(batch);
  }

  expected<void>
  remember_revoked(std::span<const revoked_task> tasks) override {
    return inner_->remember_revoked(tasks);
  }

  expected<std::vector<revoked_task>> revoked() override {
    return inner_->revoked();
  }

  expected<void> declare(std::span<const queue_name> queues) override {
    return inner_->declare(queues);
  }

  expected<void> publish(std::span<const outgoing_message> batch) override {
    return inner_->publish(batch);
  }

  expected<void>
  send_replies(std::span<const outgoing_message> batch) override {
    return inner_->send_replies(batch);
  }

  expected<size_t> publish(const std::string& exchange,
                           const std::string& routing_key,
                           const std::string& payload, int priority) override {
    return inner_->publish(exchange, routing_key, payload, priority);
  }

  bool counts_listeners() const override {
    return inner_->counts_listeners();
  }

  expected<size_t> size(const queue_name& queue) override {
    return inner_->size(queue);
  }

  expected<std::vector<dead_letter>> dead_letters(const queue_name& queue,
                                                  size_t max) override {
    return inner_->dead_letters(queue, max);
  }

  expected<std::vector<queue_name>> dead_queues() override {
    return inner_->dead_queues();
  }

  expected<size_t> take_dead(const queue_name& queue,
                             std::span<const std::string> ids,
                             dead_fate fate) override {
    return inner_->take_dead(queue, ids, fate);
  }

  expected<size_t> purge(const queue_name& queue) override {
    return inner_->purge(queue);
  }

protected:
  broker& inner() noexcept {
    return *inner_;
  }

private:
  std::unique_ptr<broker> inner_;
};

} // namespace umbel::test
