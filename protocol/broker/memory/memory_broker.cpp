#include "protocol/broker/memory/memory_broker.hpp"

#include "protocol/backend/memory/memory_result_store.hpp"

#include <algorithm>

namespace umbel {

memory_broker::memory_broker(const std::string& url,
                             const broker_options& options)
    : name_(memory_name(url)), hub_(memory_hub_of(url, options)) {
  self_.options = options;
  self_.owner = options.node.str() + '/' + options.incarnation;
  self_.next_sequence = options.first_sequence;
  if (options.result_url.starts_with("memory://")
      && memory_name(options.result_url) == name_)
    self_.results = result_table_of(options.result_url, options.results);
}

std::string memory_broker::location() const {
  return "memory://" + name_;
}

expected<std::vector<delivery>> memory_broker::reserve(size_t max) {
  return hub_->reserve(self_, max);
}

expected<void> memory_broker::wait(std::chrono::milliseconds timeout) {
  hub_->wait(self_, timeout);
  return {};
}

expected<void> memory_broker::consume(std::span<const queue_name> queues) {
  hub_->consume(self_, queues);
  return {};
}

void memory_broker::interrupt() noexcept {
  hub_->interrupt(self_);
}

expected<std::vector<bool>>
memory_broker::settle(std::span<const settlement> batch) {
  if (!stores_results() && std::any_of(batch.begin(), batch.end(), [](auto& x) {
        return x.result.has_value() || !x.workflow.results.empty();
      }))
    return error{errc::unsupported,
                 "settle on " + location()
                     + ": results belong into another store, which has to get "
                       "them first"};
  return hub_->settle(self_, batch);
}

bool memory_broker::stores_results() const {
  return self_.results != nullptr;
}

expected<std::vector<bool>>
memory_broker::owned(std::span<const delivery_tag> tags) {
  return hub_->owned(tags);
}

expected<void> memory_broker::renew(std::span<const delivery_tag> tags) {
  hub_->renew(self_, tags);
  return {};
}

expected<void> memory_broker::release() {
  hub_->release(self_);
  return {};
}

expected<recovery_report> memory_broker::recover() {
  return hub_->recover(self_);
}

expected<forward_report> memory_broker::forward() {
  return hub_->forward();
}

expected<std::vector<turn>>
memory_broker::take_turns(std::span<const turn_request> batch) {
  return hub_->take_turns(batch);
}

expected<void> memory_broker::declare(std::span<const queue_name> queues) {
  hub_->declare(self_, queues);
  return {};
}

expected<void> memory_broker::publish(std::span<const outgoing_message> batch) {
  return hub_->publish(self_, batch);
}

expected<std::vector<std::string>>
memory_broker::claim_keys(std::span<const key_claim> batch) {
  return hub_->claim_keys(batch);
}

expected<size_t> memory_broker::publish(const std::string& exchange,
                                        const std::string& routing_key,
                                        const std::string& payload,
                                        int priority) {
  return hub_->publish(self_, exchange, routing_key, payload, priority);
}

expected<size_t> memory_broker::size(const queue_name& queue) {
  return hub_->size(queue);
}

expected<std::vector<dead_letter>>
memory_broker::dead_letters(const queue_name& queue, size_t max) {
  return hub_->dead_letters(queue, max);
}

expected<void>
memory_broker::remember_revoked(std::span<const revoked_task> tasks) {
  hub_->remember_revoked(tasks);
  return {};
}

expected<std::vector<revoked_task>> memory_broker::revoked() {
  return hub_->revoked();
}

expected<std::vector<queue_name>> memory_broker::dead_queues() {
  return hub_->dead_queues();
}

expected<size_t> memory_broker::take_dead(const queue_name& queue,
                                          std::span<const std::string> ids,
                                          dead_fate fate) {
  return hub_->take_dead(self_, queue, ids, fate);
}

expected<size_t> memory_broker::purge(const queue_name& queue) {
  return hub_->purge(queue);
}

std::shared_ptr<memory_hub> memory_hub_of(const std::string& url,
                                          const broker_options& options) {
  // A line break occurs in no URL: one name cannot pass for another's prefix.
  return memory_hub::of(memory_name(url) + '\n' + options.global_keyprefix);
}

std::unique_ptr<broker> connect_memory_broker(const std::string& url,
                                              const broker_options& options) {
  return std::make_unique<memory_broker>(url, options);
}

} // namespace umbel
