#include "protocol/broker/redis/redis_subscription.hpp"

#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/keys.hpp"
#include "protocol/broker/redis/pipeline.hpp"
#include "protocol/broker/redis/redis_broker.hpp"
#include "protocol/broker/wake_event.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include <poll.h>

namespace umbel {

namespace {

using namespace redis;
using clock = std::chrono::steady_clock;

constexpr auto listening = "listen to broadcasts";

/// How often a silent server is asked whether it is still there. When as much
/// time has passed again without an answer, it is not.
constexpr auto ask_interval = std::chrono::seconds{10};

class redis_subscription : public subscription {
public:
  redis_subscription(std::unique_ptr<connection> x, wake_event closed,
                     const keys& names)
      : connection_(std::move(x)), closed_(std::move(closed)), keys_(names) {
  }

  // Its confirmation is passed over by `next`, like all that answers what we said:
  // to wait for it here would be to lose what comes before it.
  expected<void> add(const std::string& exchange,
                     const std::string& pattern) override {
    auto [command, channel] = listen_to(exchange, pattern);
    pipeline more;
    more.add({command, channel});
    return connection_->send(more.bytes(), listening);
  }

  /// As `add`, and waits for the confirmation. @pre nothing was added before
  expected<void> begin(const std::string& exchange, const std::string& pattern) {
    auto [command, channel] = listen_to(exchange, pattern);
    auto confirmed = connection_->command({command, channel}, listening);
    if (!confirmed)
      return confirmed.error();
    return {};
  }

  void close() override {
    closed_.signal();
  }

  expected<std::optional<broadcast>>
  next(std::chrono::milliseconds timeout) override {
    auto deadline = clock::now() + timeout;
    for (;;) {
      auto answer = connection_->receive_now(listening);
      if (!answer)
        return answer.error();
      if (*answer) {
        heard_ = clock::now();
        asked_ = false;
        // ["message", channel, content], or ["pmessage", pattern, channel,
        // content]; others answer what we said.
        auto parts = elements_of(**answer);
        if ((parts.size() == 3 && text_of(*parts[0]) == "message")
            || (parts.size() == 4 && text_of(*parts[0]) == "pmessage"))
          return std::optional{
            broadcast{exchange_of_[std::string{text_of(*parts[1])}],
                      std::string{text_of(*parts.back())}}};
        continue;
      }
      if (auto alive = ask(); !alive)
        return alive.error();
      auto left = deadline - clock::now();
      if (left <= clock::duration::zero())
        return std::optional<broadcast>{};
      auto wait = std::chrono::ceil<std::chrono::milliseconds>(left);
      pollfd fds[] = {{connection_->fd(), POLLIN, 0}, {closed_.fd(), POLLIN, 0}};
      if (poll(fds, 2, static_cast<int>(wait.count())) < 0 && errno != EINTR)
        return connection_->broken(errc::unavailable, listening, strerror(errno));
      if (fds[1].revents != 0)
        return std::optional<broadcast>{};
    }
  }

private:
  /// The command and what it subscribes to. As kombu has it: "#" is Redis's "*".
  std::pair<const char*, std::string> listen_to(const std::string& exchange,
                                                const std::string& pattern) {
    auto channel = keys_.fanout(connection_->where().db, exchange, {});
    if (!pattern.empty()) {
      auto key = pattern;
      std::ranges::replace(key, '#', '*');
      channel = glob_escape(channel) + '/' + key;
    }
    exchange_of_[channel] = exchange;
    return {pattern.empty() ? "SUBSCRIBE" : "PSUBSCRIBE", std::move(channel)};
  }

  expected<void> ask() {
    auto silence = clock::now() - heard_;
    if (silence > 2 * ask_interval)
      return connection_->broken(errc::timeout, listening, "no sign of life");
    if (silence < ask_interval || asked_)
      return {};
    asked_ = true;
    pipeline ping;
    ping.add({"PING"});
    return connection_->send(ping.bytes(), listening);
  }

  std::unique_ptr<connection> connection_;
  wake_event closed_; ///< is never cleared
  keys keys_;
  std::map<std::string, std::string> exchange_of_; ///< by channel, or pattern
  clock::time_point heard_ = clock::now();
  bool asked_ = false;
};

} // namespace

expected<std::unique_ptr<subscription>>
subscribe_redis(const std::string& url, const broker_options& options,
                const std::string& exchange, const std::string& pattern) {
  auto opened = connection::open(url, timeouts_of(options));
  if (!opened)
    return opened.error();
  auto closed = wake_event::make();
  if (!closed)
    return closed.error();
  auto result = std::make_unique<redis_subscription>(
    std::move(*opened), std::move(*closed), keys{options});
  if (auto done = result->begin(exchange, pattern); !done)
    return done.error();
  return std::unique_ptr<subscription>{std::move(result)};
}

} // namespace umbel
