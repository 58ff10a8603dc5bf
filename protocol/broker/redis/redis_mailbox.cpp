#include "protocol/broker/redis/redis_mailbox.hpp"

#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/keys.hpp"
#include "protocol/broker/redis/redis_broker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

namespace umbel {

namespace {

using namespace redis;
using clock = std::chrono::steady_clock;

constexpr auto awaiting = "wait for answers";

/// How long the server is asked to wait in one go. `close` takes so long.
constexpr auto step = std::chrono::milliseconds{200};

class redis_mailbox final : public subscription {
public:
  redis_mailbox(std::unique_ptr<connection> x, std::string exchange,
                std::string binding, std::string member, std::string list)
      : connection_(std::move(x)), exchange_(std::move(exchange)),
        binding_(std::move(binding)), member_(std::move(member)),
        list_(std::move(list)) {
  }

  /// Answers that come later find no way, and go nowhere.
  ~redis_mailbox() override {
    pipeline end;
    end.add({"SREM", binding_, member_});
    end.add({"DEL", list_});
    // Without a connection it stays, as that of a client of Celery's would.
    [[maybe_unused]] auto done = connection_->run(end, "close a mailbox");
  }

  expected<void> begin() {
    auto done = connection_->command({"SADD", binding_, member_},
                                     "open a mailbox");
    if (!done)
      return done.error();
    return {};
  }

  expected<std::optional<broadcast>>
  next(std::chrono::milliseconds timeout) override {
    auto deadline = clock::now() + timeout;
    while (!closed_) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(
        deadline - clock::now());
      if (left.count() <= 0)
        return take({"RPOP", list_});
      // Zero would be for ever.
      auto seconds = fmt::format(
        "{:.3f}", std::chrono::duration<double>{std::min(left, step)}.count());
      auto answer = take({"BRPOP", list_, seconds});
      if (!answer || *answer)
        return answer;
    }
    return std::optional<broadcast>{};
  }

  void close() override {
    closed_ = true;
  }

private:
  expected<std::optional<broadcast>>
  take(std::initializer_list<std::string_view> command) {
    auto answer = connection_->command(command, awaiting);
    if (!answer)
      return answer.error();
    if ((*answer)->type == REDIS_REPLY_STRING)
      return heard(**answer);
    // [list, content]
    if (auto parts = elements_of(**answer); parts.size() == 2)
      return heard(*parts[1]);
    return std::optional<broadcast>{};
  }

  std::optional<broadcast> heard(const redisReply& x) const {
    return broadcast{exchange_, std::string{text_of(x)}};
  }

  std::unique_ptr<connection> connection_;
  const std::string exchange_;
  const std::string binding_; ///< the set of the exchange's bindings
  const std::string member_;
  const std::string list_;
  std::atomic<bool> closed_ = false;
};

} // namespace

expected<std::unique_ptr<subscription>>
open_redis_mailbox(const std::string& url, const broker_options& options,
                   const std::string& exchange, const std::string& key) {
  auto opened = connection::open(url, timeouts_of(options));
  if (!opened)
    return opened.error();
  keys names{options};
  auto queue = key + '.' + exchange;
  auto result = std::make_unique<redis_mailbox>(
    std::move(*opened), exchange, names.binding(exchange),
    key + options.sep + options.sep + queue, names.list(queue, 0));
  if (auto done = result->begin(); !done)
    return done.error();
  return std::unique_ptr<subscription>{std::move(result)};
}

} // namespace umbel
