#include "protocol/backend/redis/redis_result_listener.hpp"

#include "protocol/backend/redis/redis_result_store.hpp"

#include <algorithm>

#include <poll.h>

namespace umbel {

using namespace redis;

namespace {

constexpr auto waiting_for_results = "wait for results";

/// Channels in one command: Redis serves nobody else meanwhile.
constexpr size_t channels_max = 512;

} // namespace

expected<std::unique_ptr<result_listener>>
connect_redis_result_listener(const std::string& url,
                              const result_store_options& options) {
  connection_options connecting;
  connecting.connect_timeout = options.connect_timeout;
  connecting.socket_timeout = options.socket_timeout;
  auto main = connection::open(url, connecting);
  if (!main)
    return main.error();
  auto wake = wake_event::make();
  if (!wake)
    return wake.error();
  std::unique_ptr<result_listener> result =
      std::make_unique<redis_result_listener>(std::move(*main), std::move(*wake),
                                              result_key_prefix(options));
  return result;
}

redis_result_listener::redis_result_listener(std::unique_ptr<connection> main,
                                             wake_event wake,
                                             std::string prefix)
    : main_(std::move(main)), wake_(std::move(wake)),
      prefix_(std::move(prefix)) {
}

expected<void> redis_result_listener::subscribe(std::span<const task_id> ids) {
  return command("SUBSCRIBE", ids);
}

expected<void>
redis_result_listener::unsubscribe(std::span<const task_id> ids) {
  return command("UNSUBSCRIBE", ids);
}

expected<void> redis_result_listener::command(const char* name,
                                              std::span<const task_id> ids) {
  while (!ids.empty()) {
    auto some = ids.first(std::min(ids.size(), channels_max));
    ids = ids.subspan(some.size());
    pipeline words;
    words.begin(1 + some.size()).arg(name);
    for (auto& id : some)
      words.arg(prefix_ + id.str());
    if (auto sent = main_->send(words.bytes(), waiting_for_results); !sent)
      return sent;
    for (auto left = some.size(); left > 0;) {
      auto x = main_->receive(waiting_for_results);
      if (!x)
        return x.error();
      if ((*x)->type == REDIS_REPLY_ERROR)
        return main_->refusal(**x, waiting_for_results);
      auto before = arrived_.size();
      take(**x);
      left -= arrived_.size() == before; // a confirmation, not a message
    }
  }
  return {};
}

void redis_result_listener::take(const redisReply& x) {
  auto elements = elements_of(x);
  if (elements.size() != 3 || text_of(*elements[0]) != "message")
    return;
  auto channel = text_of(*elements[1]);
  if (!channel.starts_with(prefix_))
    return;
  arrived_.push_back({task_id{std::string{channel.substr(prefix_.size())}},
                      std::string{text_of(*elements[2])}});
}

expected<std::vector<result_record>>
redis_result_listener::wait(std::chrono::milliseconds timeout) {
  if (arrived_.empty()) {
    pollfd fds[] = {{wake_.fd(), POLLIN, 0}, {main_->fd(), POLLIN, 0}};
    // A signal, or what the reader has already, is found below.
    ::poll(fds, 2, static_cast<int>(timeout.count()));
    wake_.clear();
  }
  for (;;) {
    auto x = main_->receive_now(waiting_for_results);
    if (!x)
      return x.error();
    if (!*x)
      break;
    take(**x);
  }
  return std::exchange(arrived_, {});
}

void redis_result_listener::interrupt() noexcept {
  wake_.signal();
}

} // namespace umbel
