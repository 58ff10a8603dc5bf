// The in-memory broker with a clock that only the scenario moves.
#pragma once

#include "protocol/broker/memory/memory_broker.hpp"
#include "tests/unit/broker/world.hpp"

#include <atomic>

namespace umbel::test {

class memory_world : public world {
public:
  memory_world() {
    static std::atomic<int> count;
    url_ = "memory://scenario-" + std::to_string(++count);
    hub_ = memory_hub_of(url_, broker_options{});
    hub_->set_clock([now = now_] { return std::chrono::milliseconds{*now}; });
  }

  std::string url() const override {
    return url_;
  }

  std::chrono::milliseconds lease() const override {
    return 10s;
  }

  void moment() override {
    *now_ += 500;
  }

  std::chrono::milliseconds now() const override {
    return std::chrono::milliseconds{*now_};
  }

  void bind(const std::string& exchange, const std::string& key, bool topic,
            const queue_name& queue) override {
    hub_->bind(exchange, {key, topic, queue});
  }

  void plant(const delivery_tag& tag, const queue_name& queue,
             const std::string& payload,
             std::chrono::milliseconds age) override {
    auto priority =
        json::parse(payload).at("properties").at("priority").as_int64();
    hub_->plant(tag, queue, static_cast<int>(priority) / 3 * 3, payload, age);
  }

  size_t unacknowledged() override {
    return hub_->unacknowledged();
  }

private:
  std::string url_;
  std::shared_ptr<memory_hub> hub_;
  /// Milliseconds; any time will do for a start.
  std::shared_ptr<std::atomic<int64_t>> now_ =
      std::make_shared<std::atomic<int64_t>>(1'000'000'000);
};

} // namespace umbel::test
