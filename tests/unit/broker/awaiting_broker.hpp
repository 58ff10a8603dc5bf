// A broker whose reserving, waiting and settling are done by a polled_broker, and
// waited for here; all else by a broker of the usual kind. So every scenario runs
// through it as well.
#pragma once

#include "protocol/broker/polled.hpp"
#include "protocol/broker/wake_event.hpp"
#include "tests/unit/broker/wrapped_broker.hpp"

#include <poll.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace umbel::test {

class awaiting_broker final : public wrapped_broker {
public:
  awaiting_broker(const std::string& url, const broker_options& options)
      : wrapped_broker(connect_broker(url, options).value()),
        polled_(connect_polled_broker(url, options).value()),
        wake_(wake_event::make().value()) {
    // nop
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
      return inner().settle(batch);
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

  expected<void> declare(std::span<const queue_name> queues) override {
    return polled_->declare(queues);
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

  std::unique_ptr<polled_broker> polled_;
  wake_event wake_;
  bool announced_ = true; ///< `wait` is to return at once
};

} // namespace umbel::test
