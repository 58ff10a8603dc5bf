// A broker behind a bad network: it wraps any other, and by a seeded chance
// delays an operation, fails before it, or carries it out and loses the reply.
// One `bad_network` serves all connections that a test opens, so that one seed
// replays the whole run.
//
// Header-only, so that every test executable can include it.
#pragma once

#include "tests/unit/broker/wrapped_broker.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>

namespace umbel::test {

/// How often what happens, each as one of 1000 operations.
struct fault_rates {
  int fail_before = 30;
  int lose_reply = 30;
  int delay = 20;
};

/// The chance, and the truth about what has reached the server. Used by one
/// thread at a time.
class bad_network {
public:
  enum class fate { fine, late, fail_before, lose_reply };

  explicit bad_network(uint64_t seed, fault_rates rates = {})
      : random_(seed), rates_(rates) {
    // nop
  }

  fate draw() {
    // Not std::uniform_int_distribution: its sequence is up to the library.
    auto x = static_cast<int>(random_() % 1000);
    if ((x -= rates_.fail_before) < 0)
      return count(fate::fail_before);
    if ((x -= rates_.lose_reply) < 0)
      return count(fate::lose_reply);
    if ((x -= rates_.delay) < 0)
      return count(fate::late);
    return fate::fine;
  }

  /// From now on everything goes well.
  void heal() {
    rates_ = {0, 0, 0};
  }

  // -- what a test asks at the end --------------------------------------------

  /// How often each tag was taken out of the ledger by a settlement, whether
  /// the reply arrived or not.
  std::map<delivery_tag, int> effects;

  /// Calls on a connection after its first error: the contract forbids them.
  int misuses = 0;

  int faults() const {
    return faults_;
  }

private:
  fate count(fate x) {
    ++faults_;
    return x;
  }

  std::mt19937_64 random_;
  fault_rates rates_;
  int faults_ = 0;
};

class unreliable_broker final : public wrapped_broker {
public:
  unreliable_broker(std::unique_ptr<broker> inner, bad_network& network)
      : wrapped_broker(std::move(inner)), network_(network) {
    // nop
  }

  /// Connects through the bad network; that can fail too.
  template <class Connect>
  static expected<std::unique_ptr<broker>> connect(Connect way,
                                                   bad_network& network) {
    auto fate = network.draw();
    if (fate == bad_network::fate::fail_before)
      return error{errc::unavailable, "cannot connect: the test says so"};
    std::unique_ptr<broker> inner = way();
    if (fate == bad_network::fate::lose_reply)
      return error{errc::timeout, "no answer to connect: the test says so"};
    return std::unique_ptr<broker>{
        std::make_unique<unreliable_broker>(std::move(inner), network)};
  }

  expected<std::vector<delivery>> reserve(size_t max) override {
    return call("reserve", [&] { return inner().reserve(max); });
  }

  expected<void> wait(std::chrono::milliseconds timeout) override {
    return call("wait", [&] { return inner().wait(timeout); });
  }

  expected<std::vector<bool>>
  settle(std::span<const settlement> batch) override {
    return call("settle", [&] {
      auto result = inner().settle(batch);
      if (result)
        for (size_t i = 0; i < batch.size(); ++i)
          if (result->at(i) && batch[i].how != disposition::none)
            ++network_.effects[batch[i].tag];
      return result;
    });
  }

  expected<std::vector<bool>>
  owned(std::span<const delivery_tag> tags) override {
    return call("owned", [&] { return inner().owned(tags); });
  }

  expected<void> renew(std::span<const delivery_tag> tags) override {
    return call("renew", [&] { return inner().renew(tags); });
  }

  expected<void> release() override {
    return call("release", [&] { return inner().release(); });
  }

  expected<recovery_report> recover() override {
    return call("recover", [&] { return inner().recover(); });
  }

  expected<forward_report> forward() override {
    return call("forward", [&] { return inner().forward(); });
  }

  expected<std::vector<turn>>
  take_turns(std::span<const turn_request> batch) override {
    return call("take_turns", [&] { return inner().take_turns(batch); });
  }

  expected<std::vector<std::string>>
  claim_keys(std::span<const key_claim> batch) override {
    return call("claim_keys", [&] { return inner().claim_keys(batch); });
  }

  expected<void> declare(std::span<const queue_name> queues) override {
    return call("declare", [&] { return inner().declare(queues); });
  }

  expected<void> publish(std::span<const outgoing_message> batch) override {
    return call("publish", [&] { return inner().publish(batch); });
  }

  expected<size_t> publish(const std::string& exchange,
                           const std::string& routing_key,
                           const std::string& payload, int priority) override {
    return call("publish", [&] {
      return inner().publish(exchange, routing_key, payload, priority);
    });
  }

  expected<size_t> size(const queue_name& queue) override {
    return call("size", [&] { return inner().size(queue); });
  }

  expected<std::vector<dead_letter>> dead_letters(const queue_name& queue,
                                                  size_t max) override {
    return call("dead_letters",
                [&] { return inner().dead_letters(queue, max); });
  }

  expected<size_t> purge(const queue_name& queue) override {
    return call("purge", [&] { return inner().purge(queue); });
  }

private:
  template <class F>
  auto call(const char* what, F operation) -> decltype(operation()) {
    using fate = bad_network::fate;
    if (broken_) {
      ++network_.misuses;
      return error{errc::unavailable,
                   std::string{what} + " on a connection that is finished"};
    }
    auto chance = network_.draw();
    if (chance == fate::fail_before) {
      broken_ = true;
      return error{errc::unavailable,
                   std::string{"cannot "} + what + ": the test says so"};
    }
    if (chance == fate::late)
      std::this_thread::sleep_for(std::chrono::microseconds{200});
    auto result = operation();
    if (chance == fate::lose_reply) {
      broken_ = true;
      return error{errc::timeout,
                   std::string{"no answer to "} + what + ": the test says so"};
    }
    if (!result)
      broken_ = true;
    return result;
  }

  bad_network& network_;
  bool broken_ = false;
};

} // namespace umbel::test
