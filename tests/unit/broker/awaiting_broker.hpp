// A broker whose reserving, waiting and settling are done by a polled_broker, and
// waited for here; all else by a broker of the usual kind. So every scenario runs
// through it as well.
#pragma once

#include "protocol/broker/polled.hpp"
#include "protocol/broker/wake_event.hpp"

#include <poll.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace umbel::test {

class awaiting_broker final : public broker {
public:
  awaiting_broker(const std::string& url, const broker_options& options)
      : rest_(connect_broker(url, options).value()),
        polled_(connect_polled_broker(url, options).value()),
        wake_(wake_event::make().value()) {
    // nop
  }

  std::string location() const override {
    return polled_->location();
  }

  expected<std::vector<delivery>> reserve(size_t max) override {
    auto known = polled_->begin_reserve(max);
    if (!known)
      return known.error();
    auto result = std::move(*known);
    announced_ = result && !result->empty();
    while (!result) {
      await(-1);
      auto news = polled_->advance();
      if (!news)
        return news.error();
      result = std::move(news->reserved);
      announced_ = announced_ || news->announced;
    }
    announced_ = announced_ || result->size() == max;
    return std::move(*result);
  }

  expected<void> wait(std::chrono::milliseconds timeout) override {
    auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!std::exchange(announced_, false)) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0)
        break;
      if (await(static_cast<int>(left.count())))
        break;
      auto news = polled_->advance();
      if (!news)
        return news.error();
      announced_ = news->announced;
    }
    return {};
  }

  expected<void> consume(std::span<const queue_name> queues) override {
    polled_->consume(queues);
    announced_ = true;
    return {};
  }

  void interrupt() noexcept override {
    wake_.signal();
  }

  expected<std::vector<bool>>
  settle(std::span<const settlement> batch) override {
    if (!stores_results())
      return rest_->settle(batch);
    if (auto ok = polled_->begin_settle({batch.begin(), batch.end()}); !ok)
      return ok.error();
    for (;;) {
      auto news = polled_->advance();
      if (!news)
        return news.error();
      announced_ = announced_ || news->announced;
      if (news->settled)
        return std::move(*news->settled);
      await(-1);
    }
  }

  bool stores_results() const override {
    return polled_->stores_results();
  }

  bool counts_chords() const override {
    return rest_->counts_chords();
  }

  expected<std::vector<bool>>
  owned(std::span<const delivery_tag> tags) override {
    return rest_->owned(tags);
  }

  expected<void> renew(std::span<const delivery_tag> tags) override {
    return rest_->renew(tags);
  }

  lease_state lease() const override {
    return rest_->lease();
  }

  expected<void> release() override {
    return rest_->release();
  }

  expected<recovery_report> recover() override {
    return rest_->recover();
  }

  expected<forward_report> forward() override {
    return rest_->forward();
  }

  expected<std::vector<turn>>
  take_turns(std::span<const turn_request> batch) override {
    return rest_->take_turns(batch);
  }

  expected<void>
  remember_revoked(std::span<const revoked_task> tasks) override {
    return rest_->remember_revoked(tasks);
  }

  expected<std::vector<revoked_task>> revoked() override {
    return rest_->revoked();
  }

  expected<void> declare(std::span<const queue_name> queues) override {
    return polled_->declare(queues);
  }

  expected<void> publish(std::span<const outgoing_message> batch) override {
    return rest_->publish(batch);
  }

  expected<size_t> publish(const std::string& exchange,
                           const std::string& routing_key,
                           const std::string& payload, int priority) override {
    return rest_->publish(exchange, routing_key, payload, priority);
  }

  expected<size_t> size(const queue_name& queue) override {
    return rest_->size(queue);
  }

  expected<std::vector<dead_letter>> dead_letters(const queue_name& queue,
                                                  size_t max) override {
    return rest_->dead_letters(queue, max);
  }

  expected<std::vector<queue_name>> dead_queues() override {
    return rest_->dead_queues();
  }

  expected<size_t> take_dead(const queue_name& queue,
                             std::span<const std::string> ids,
                             dead_fate fate) override {
    return rest_->take_dead(queue, ids, fate);
  }

  expected<size_t> purge(const queue_name& queue) override {
    return rest_->purge(queue);
  }

private:
  /// Until there is something to read. @returns whether `interrupt` has ended it.
  bool await(int timeout) {
    pollfd fds[] = {{polled_->descriptor(), POLLIN, 0}, {wake_.fd(), POLLIN, 0}};
    auto which = timeout < 0 ? 1u : 2u;
    while (::poll(fds, which, timeout) < 0) {
      // a signal
    }
    if (which == 1 || fds[1].revents == 0)
      return false;
    wake_.clear();
    return true;
  }

  std::unique_ptr<broker> rest_;
  std::unique_ptr<polled_broker> polled_;
  wake_event wake_;
  bool announced_ = true; ///< `wait` is to return at once
};

} // namespace umbel::test
