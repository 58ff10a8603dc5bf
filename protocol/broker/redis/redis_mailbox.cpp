#include "protocol/broker/redis/redis_mailbox.hpp"

#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

namespace umbel {

namespace {

using namespace redis;
using clock = std::chrono::steady_clock;

constexpr auto doing = "wait for answers";

/// How long the server is asked to wait in one go. `close` takes so long.
constexpr auto step = std::chrono::milliseconds{200};

class redis_mailbox final : public subscription {
public:
  redis_mailbox(std::unique_ptr<connection> x, std::string binding,
                std::string member, std::string list)
      : connection_(std::move(x)), binding_(std::move(binding)),
        member_(std::move(member)), list_(std::move(list)) {
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

  expected<std::optional<std::string>>
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
    return std::optional<std::string>{};
  }

  void close() override {
    closed_ = true;
  }

private:
  expected<std::optional<std::string>>
  take(std::initializer_list<std::string_view> command) {
    auto answer = connection_->command(command, doing);
    if (!answer)
      return answer.error();
    if ((*answer)->type == REDIS_REPLY_STRING)
      return std::optional{std::string{text_of(**answer)}};
    // [list, content]
    if (auto parts = elements_of(**answer); parts.size() == 2)
      return std::optional{std::string{text_of(*parts[1])}};
    return std::optional<std::string>{};
  }

  std::unique_ptr<connection> connection_;
  const std::string binding_; ///< the set of the exchange's bindings
  const std::string member_;
  const std::string list_;
  std::atomic<bool> closed_ = false;
};

} // namespace

expected<std::unique_ptr<subscription>>
open_redis_mailbox(const std::string& url, const broker_options& options,
                   const std::string& exchange, const std::string& key) {
  connection_options how;
  how.connect_timeout = options.connect_timeout;
  how.socket_timeout = options.socket_timeout;
  auto opened = connection::open(url, how);
  if (!opened)
    return opened.error();
  keys names{options};
  auto queue = key + '.' + exchange;
  auto result = std::make_unique<redis_mailbox>(
    std::move(*opened), names.binding(exchange),
    key + options.sep + options.sep + queue, names.list(queue, 0));
  if (auto done = result->begin(); !done)
    return done.error();
  return std::unique_ptr<subscription>{std::move(result)};
}

} // namespace umbel
