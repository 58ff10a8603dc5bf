// A broker whose reserving, waiting and settling are done by a polled_broker, and
// waited for here; all else by a broker of the usual kind. So every scenario runs
// through it as well.
#pragma once

#include "protocol/broker/polled.hpp"
#include "protocol/broker/wake_event.hpp"
#include "tests/unit/broker/wrapped_broker.hpp"

#include <poll.h>

#include <iterator>
#include <memory>
#include <optional>
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
    auto result = std::exchange(kept_, {});
    if (waits_) {
      if (auto ok = end_wait(result); !ok)
        return ok.error();
    }
    drained_ = result.size() < max;
    if (!drained_)
      return result;
    auto known = polled_->begin_reserve(max - result.size());
    if (!known)
      return known.error();
    waits_ = !*known;
    if (*known)
      add(result, std::move(**known));
    else if (auto ok = end_wait(result); !ok)
      return ok.error();
    drained_ = result.size() < max;
    return result;
  }

  /// The message that ends it is reserved, and what the next `reserve` returns.
  expected<void> wait(std::chrono::milliseconds timeout) override {
    auto deadline = std::chrono::steady_clock::now() + timeout;
    while (drained_ && kept_.empty()) {
      if (!waits_) {
        auto known = polled_->begin_reserve(1);
        if (!known)
          return known.error();
        waits_ = !*known;
        if (*known)
          add(kept_, std::move(**known));
      }
      auto left = std::chrono::ceil<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0 || await(static_cast<int>(left.count())))
        break;
      if (auto ok = advance(kept_); !ok)
        return ok.error();
    }
    return {};
  }

  expected<void> consume(std::span<const queue_name> queues) override {
    if (waits_)
      if (auto ok = end_wait(kept_); !ok)
        return ok.error();
    polled_->consume(queues);
    drained_ = false;
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
    while (!settled_) {
      if (auto ok = advance(kept_); !ok)
        return ok.error();
      if (!settled_)
        await(-1);
    }
    return *std::exchange(settled_, std::nullopt);
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

  static void add(std::vector<delivery>& to, std::vector<delivery> batch) {
    std::move(batch.begin(), batch.end(), std::back_inserter(to));
  }

  expected<void> advance(std::vector<delivery>& to) {
    auto news = polled_->advance();
    if (!news)
      return news.error();
    if (news->settled)
      settled_ = std::move(news->settled);
    if (news->reserved) {
      waits_ = false;
      add(to, std::move(*news->reserved));
    }
    return {};
  }

  /// Of the reservation that is under way.
  expected<void> end_wait(std::vector<delivery>& to) {
    if (auto ok = polled_->hurry(); !ok)
      return ok.error();
    while (waits_) {
      await(-1);
      if (auto ok = advance(to); !ok)
        return ok.error();
    }
    return {};
  }

  std::unique_ptr<polled_broker> polled_;
  wake_event wake_;
  bool waits_ = false;          ///< for the answer to `begin_reserve`
  bool drained_ = false;        ///< the queues had less than was wanted
  std::vector<delivery> kept_;  ///< for the next `reserve`
  std::optional<std::vector<bool>> settled_;
};

} // namespace umbel::test
