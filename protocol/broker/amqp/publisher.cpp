#include "protocol/broker/amqp/publisher.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace umbel::amqp {

namespace {

constexpr auto publishing = "publish";

} // namespace

expected<std::unique_ptr<publisher>>
publisher::make(connection& x, std::chrono::milliseconds reply_timeout) {
  amqp_confirm_select(x.handle(), main_channel);
  auto done = x.check(amqp_get_rpc_reply(x.handle()), "turn confirms on");
  if (!done)
    return done.error();
  return std::unique_ptr<publisher>{new publisher{x, std::min(patience_max, reply_timeout)}};
}

expected<std::vector<bool>> publisher::publish(std::span<const parcel> batch) {
  run x;
  x.batch = batch;
  x.confirmed.resize(batch.size());
  x.routed.resize(batch.size(), true);
  x.first = published_ + 1;
  // Notices a connection that is gone, or blocked, before anything is sent.
  if (auto done = hear(x, std::chrono::milliseconds{0}); !done)
    return error{errc::unavailable, done.error().what + "; nothing was sent"};
  using clock = std::chrono::steady_clock;
  auto deadline = clock::now() + patience_;
  while (x.sent < batch.size() || x.open > 0) {
    auto blocked = connection_->blocked();
    auto room = x.sent < batch.size() && !blocked && x.open < window_messages
                && x.open_bytes < window_bytes;
    if (room) {
      if (auto done = send(x); !done)
        return unknown(x, done.error());
      continue;
    }
    auto before = x.open;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline
                                                             - clock::now());
    if (blocked) {
      if (auto fine = connection_->while_blocked(publishing); !fine)
        return unknown(x, fine.error());
      left = connection::blocked_look;
    } else if (left.count() <= 0) {
      return unknown(
        x, connection_->failure(errc::timeout, publishing, "no confirm in time"));
    }
    if (auto done = hear(x, left); !done)
      return unknown(x, done.error());
    if (blocked || x.open < before)
      deadline = clock::now() + patience_;
  }
  return std::move(x.routed);
}

expected<void> publisher::send(run& x) {
  auto& what = x.batch[x.sent];
  message_.read(what.payload);
  if (what.priority)
    message_.set_priority(*what.priority);
  if (what.delayed)
    message_.clear_expiration();
  if (!what.dead_reason.empty())
    message_.set_header(dead_header, what.dead_reason);
  auto status = amqp_basic_publish(
    connection_->handle(), main_channel, bytes(what.exchange),
    bytes(what.routing_key), true, false, &message_.properties(),
    bytes(message_.body()));
  if (auto done = connection_->check(status, publishing); !done)
    return done;
  ++published_;
  ++x.sent;
  ++x.open;
  x.open_bytes += what.payload.size();
  return {};
}

expected<void> publisher::hear(run& x, std::chrono::milliseconds timeout) {
  amqp_maybe_release_buffers(connection_->handle());
  auto frame = connection_->next(timeout, publishing);
  if (!frame)
    return frame.error();
  if (!*frame || (*frame)->frame_type != AMQP_FRAME_METHOD)
    return {};
  auto& method = (*frame)->payload.method;
  switch (method.id) {
    case AMQP_BASIC_ACK_METHOD: {
      auto* ack = static_cast<amqp_basic_ack_t*>(method.decoded);
      return on_confirm(x, ack->delivery_tag, ack->multiple, true);
    }
    case AMQP_BASIC_NACK_METHOD: {
      auto* nack = static_cast<amqp_basic_nack_t*>(method.decoded);
      return on_confirm(x, nack->delivery_tag, nack->multiple, false);
    }
    case AMQP_BASIC_RETURN_METHOD:
      return on_return(x, *static_cast<amqp_basic_return_t*>(method.decoded));
    default:
      return {};
  }
}

expected<void> publisher::on_confirm(run& x, uint64_t tag, bool multiple,
                                     bool taken) {
  if (tag < x.first || tag >= x.first + x.sent)
    return {};
  if (!taken)
    return connection_->failure(
      errc::timeout, publishing,
      "RabbitMQ has refused the message: its queue is full or broken");
  auto last = tag - x.first;
  for (auto i = multiple ? x.settled : last; i <= last; ++i)
    if (!x.confirmed[i]) {
      x.confirmed[i] = true;
      --x.open;
      x.open_bytes -= x.batch[i].payload.size();
    }
  while (x.settled < x.sent && x.confirmed[x.settled])
    ++x.settled;
  return {};
}

/// A returned message has no number, but comes back before it is confirmed,
/// and in order: it is the first to its destination that is neither.
expected<void> publisher::on_return(run& x, const amqp_basic_return_t& what) {
  auto exchange = view(what.exchange);
  auto key = view(what.routing_key);
  for (auto i = x.settled; i < x.sent; ++i)
    if (!x.confirmed[i] && x.routed[i] && x.batch[i].exchange == exchange
        && x.batch[i].routing_key == key) {
      x.routed[i] = false;
      break;
    }
  amqp_message_t content;
  auto reply = amqp_read_message(connection_->handle(), main_channel, &content,
                                 0);
  auto done = connection_->check(reply, publishing);
  if (done)
    amqp_destroy_message(&content);
  return done;
}

error publisher::unknown(const run& x, const error& why) const {
  auto confirmed = static_cast<size_t>(
    std::count(x.confirmed.begin(), x.confirmed.end(), true));
  if (x.sent == 0)
    return {errc::unavailable, why.what + "; nothing was sent"};
  return {errc::timeout,
          fmt::format("{}; of {} messages {} were taken, {} not sent, and of {} "
                      "it is unknown",
                      why.what, x.batch.size(), confirmed,
                      x.batch.size() - x.sent, x.sent - confirmed)};
}

} // namespace umbel::amqp
