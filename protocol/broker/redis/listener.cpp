#include "protocol/broker/redis/listener.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>

namespace umbel::redis {

namespace {

constexpr auto waiting = "wait for messages";

// Messages of a subscription are arrays: ["message", channel, content]. The
// answer to PING is one too: ["pong", ""].
bool is_message(const redisReply& x) {
  auto elements = elements_of(x);
  return !elements.empty() && text_of(*elements[0]) == "message";
}

} // namespace

listener::listener(connection& main, std::unique_ptr<connection> second,
                   std::chrono::milliseconds socket_timeout,
                   sign_of_life asking)
    : main_(main), second_(std::move(second)), socket_timeout_(socket_timeout),
      asking_(asking), next_ping_(clock::now() + asking.interval) {
}

expected<std::unique_ptr<listener>>
listener::open(connection& main, const connection_options& options,
               own_changes own, sign_of_life asking) {
  auto second_options = options;
  second_options.scripts.clear();
  auto second = connection::open(main.where(), second_options);
  if (!second)
    return second.error();
  pipeline subscribe;
  subscribe.add({"CLIENT", "ID"});
  subscribe.add({"SUBSCRIBE", "__redis__:invalidate"});
  auto replies = (*second)->check(subscribe, waiting);
  if (!replies)
    return replies.error();
  auto id = std::to_string((*replies)[0]->integer);
  pipeline tracking;
  tracking.begin(own == own_changes::ignored ? 6 : 5);
  tracking.arg("CLIENT").arg("TRACKING").arg("ON").arg("REDIRECT").arg(id);
  if (own == own_changes::ignored)
    tracking.arg("NOLOOP");
  if (auto ok = main.check(std::move(tracking), waiting); !ok)
    return ok.error();
  return std::unique_ptr<listener>{
      new listener{main, std::move(*second), options.socket_timeout, asking}};
}

expected<void> listener::wait(wake_event& wake,
                              std::chrono::milliseconds timeout) {
  auto deadline = clock::now() + timeout;
  for (;;) {
    auto now = clock::now();
    auto until = std::min(deadline, next_ping_);
    auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now);
    pollfd fds[] = {{wake.fd(), POLLIN, 0},
                    {second_->fd(), POLLIN, 0},
                    {main_.fd(), POLLIN, 0}};
    auto n =
        ::poll(fds, 3, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (n < 0 && errno != EINTR)
      return error{errc::unavailable, std::string{"cannot "} + waiting + ": "
                                          + std::strerror(errno)};
    if (n > 0 && fds[0].revents != 0) {
      wake.clear();
      return {};
    }
    if (n > 0 && fds[2].revents != 0) {
      // Nothing was asked of the main connection, so this can only be its end.
      auto x = main_.receive_now(waiting);
      if (!x)
        return x.error();
      if (*x)
        return main_.broken(errc::unavailable, waiting,
                            "a reply that nobody asked for");
    }
    if (n > 0 && fds[1].revents != 0) {
      auto announced = drain();
      if (!announced)
        return announced.error();
      if (*announced)
        return {};
    }
    now = clock::now();
    if (now >= next_ping_) {
      auto announced = ping();
      if (!announced)
        return announced.error();
      if (*announced)
        return {};
    }
    if (now >= deadline)
      return {};
  }
}

expected<bool> listener::drain() {
  bool announced = false;
  for (;;) {
    auto x = second_->receive_now(waiting);
    if (!x)
      return x.error();
    if (!*x)
      return announced;
    if (is_message(**x))
      announced = true;
    else
      pong_due_.reset();
  }
}

expected<listener::news> listener::look() {
  news result;
  auto announced = drain();
  if (!announced)
    return announced.error();
  result.announced = *announced;
  auto now = clock::now();
  if (pong_due_ && now > *pong_due_)
    return second_->broken(errc::timeout, waiting, "no reply in time");
  if (now < next_ping_)
    return result;
  pipeline commands;
  commands.add({"PING"});
  if (auto ok = second_->send_now(commands.bytes(), waiting); !ok)
    return ok.error();
  next_ping_ = now + asking_.interval;
  pong_due_ = now + patience();
  result.sign_wanted = true;
  return result;
}

expected<bool> listener::ping() {
  main_.timeout(patience());
  second_->timeout(patience());
  pipeline commands;
  commands.add({"PING"});
  if (auto ok = main_.check(commands, waiting); !ok)
    return ok.error();
  if (auto ok = second_->send(commands.bytes(), waiting); !ok)
    return ok.error();
  bool announced = false;
  for (;;) {
    auto x = second_->receive(waiting);
    if (!x)
      return x.error();
    if (!is_message(**x))
      break;
    announced = true;
  }
  main_.timeout(socket_timeout_);
  second_->timeout(socket_timeout_);
  next_ping_ = clock::now() + asking_.interval;
  return announced;
}

} // namespace umbel::redis
