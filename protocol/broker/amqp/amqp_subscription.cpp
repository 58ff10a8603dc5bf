#include "protocol/broker/amqp/amqp_subscription.hpp"

#include "protocol/broker/amqp/connection.hpp"
#include "protocol/broker/amqp/message.hpp"
#include "protocol/broker/wake_event.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>

namespace umbel {

namespace {

using namespace amqp;
using clock = std::chrono::steady_clock;

constexpr auto listening = "listen to broadcasts";

/// An exchange, and this listener's queue there.
///
/// The queues live and die as kombu and Celery declare them (contract section 4):
/// with the last one who listens, unless they are durable.
struct place {
  std::string exchange;
  const char* type;
  bool durable; ///< the exchange
  std::string queue;
  std::string key; ///< of the binding
  listener_queue how;
};

amqp_table_entry_t milliseconds(const char* name, int64_t value) {
  amqp_field_value_t x{};
  x.kind = AMQP_FIELD_KIND_I64;
  x.value.i64 = value;
  return {amqp_cstring_bytes(name), x};
}

place place_of_events(const std::string& exchange, const std::string& pattern,
                      const broadcast_options& how) {
  return {exchange, "topic", true, how.event_queue_prefix + '.' + make_uuid(),
          pattern, how.events};
}

class amqp_subscription : public subscription {
public:
  amqp_subscription(std::unique_ptr<connection> x, wake_event closed,
                    broadcast_options how)
      : connection_(std::move(x)), closed_(std::move(closed)),
        how_(std::move(how)) {
  }

  void close() override {
    closed_.signal();
  }

  expected<void> begin(const place& x) {
    auto handle = connection_->handle();
    amqp_exchange_declare(handle, main_channel, bytes(x.exchange),
                          amqp_cstring_bytes(x.type), false, x.durable, false,
                          false, amqp_empty_table);
    if (auto done = answer("declare exchange " + x.exchange); !done)
      return done;
    std::vector<amqp_table_entry_t> arguments;
    if (x.how.expires)
      arguments.push_back(milliseconds("x-expires", x.how.expires->count()));
    if (x.how.ttl)
      arguments.push_back(milliseconds("x-message-ttl", x.how.ttl->count()));
    auto queue = bytes(x.queue);
    amqp_queue_declare(handle, main_channel, queue, false, x.how.durable,
                       x.how.exclusive, !x.how.durable,
                       {static_cast<int>(arguments.size()), arguments.data()});
    if (auto done = answer("declare queue " + x.queue); !done)
      return done;
    amqp_queue_bind(handle, main_channel, queue, bytes(x.exchange),
                    bytes(x.key), amqp_empty_table);
    if (auto done = answer("bind queue " + x.queue); !done)
      return done;
    amqp_basic_consume(handle, main_channel, queue, amqp_empty_bytes, false,
                       true, false, amqp_empty_table);
    return answer("consume queue " + x.queue);
  }

  expected<void> add(const std::string& exchange,
                     const std::string& pattern) override {
    return begin(place_of_events(exchange, pattern, how_));
  }

  expected<std::optional<broadcast>>
  next(std::chrono::milliseconds timeout) override {
    auto deadline = clock::now() + timeout;
    for (;;) {
      auto message = receive();
      if (!message || *message)
        return message;
      auto left = deadline - clock::now();
      if (left <= clock::duration::zero())
        return std::optional<broadcast>{};
      auto wait = std::chrono::ceil<std::chrono::milliseconds>(left);
      std::array<pollfd, 2> fds{pollfd{connection_->fd(), POLLIN, 0},
                                pollfd{closed_.fd(), POLLIN, 0}};
      if (poll(fds.data(), fds.size(), static_cast<int>(wait.count())) < 0
          && errno != EINTR)
        return connection_->failure(errc::unavailable, listening,
                                    std::strerror(errno));
      if (fds[1].revents != 0)
        return std::optional<broadcast>{};
    }
  }

private:
  expected<void> answer(const std::string& what) {
    return connection_->check(amqp_get_rpc_reply(connection_->handle()), what);
  }

  /// A message, or nothing if none has arrived.
  expected<std::optional<broadcast>> receive() {
    for (;;) {
      amqp_maybe_release_buffers(connection_->handle());
      amqp_envelope_t arrived;
      timeval at_once{0, 0};
      auto reply = amqp_consume_message(connection_->handle(), &arrived,
                                        &at_once, 0);
      if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
        broadcast result{std::string{view(arrived.exchange)},
                         to_envelope(arrived, "broadcast")};
        amqp_destroy_envelope(&arrived);
        return std::optional{std::move(result)};
      }
      if (reply.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION)
        return connection_->check(reply, listening).error();
      if (reply.library_error == AMQP_STATUS_TIMEOUT)
        return std::optional<broadcast>{};
      if (reply.library_error != AMQP_STATUS_UNEXPECTED_STATE)
        return connection_->check(reply, listening).error();
      auto frame = connection_->next(std::chrono::milliseconds{0}, listening);
      if (!frame)
        return frame.error();
    }
  }

  std::unique_ptr<connection> connection_;
  wake_event closed_; ///< is never cleared
  broadcast_options how_;
};

expected<std::unique_ptr<subscription>>
listen(const std::string& url, const broker_options& options, const place& x,
       const broadcast_options& how) {
  auto opened = connection::open(url, options, options.node.str() + " listen");
  if (!opened)
    return opened.error();
  auto closed = wake_event::make();
  if (!closed)
    return closed.error();
  auto result = std::make_unique<amqp_subscription>(
    std::move(*opened), std::move(*closed), how);
  if (auto done = result->begin(x); !done)
    return done.error();
  return std::unique_ptr<subscription>{std::move(result)};
}

} // namespace

expected<std::unique_ptr<subscription>>
subscribe_amqp(const std::string& url, const broker_options& options,
               const std::string& exchange, const std::string& pattern,
               const broadcast_options& how) {
  if (pattern.empty())
    return listen(url, options,
                  {exchange, "fanout", false,
                   options.node.str() + '.' + exchange, {}, how.control},
                  how);
  return listen(url, options, place_of_events(exchange, pattern, how), how);
}

expected<std::unique_ptr<subscription>>
open_amqp_mailbox(const std::string& url, const broker_options& options,
                  const std::string& exchange, const std::string& key,
                  const broadcast_options& how) {
  return listen(
    url, options,
    {exchange, "direct", false, key + '.' + exchange, key, how.control}, how);
}

} // namespace umbel
