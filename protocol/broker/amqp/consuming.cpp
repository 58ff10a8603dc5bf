// The feed's connection: its consumers, and what arrives.
#include "protocol/broker/amqp/feed.hpp"
#include "protocol/broker/amqp/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace umbel::amqp {

namespace {

using clock = std::chrono::steady_clock;

constexpr auto consuming = "consume";

/// A quorum queue drops what has come back too often (20 times, since RabbitMQ
/// 4). What has come back so often stays here, unless it has to go.
constexpr int64_t returns_max = 5;

/// So long an answer may take here: a server that is well gives it at once, and who
/// waits for it holds up the writer.
constexpr std::chrono::milliseconds answer_max{10'000};

/// The same for one who only asks whether there is any.
constexpr std::chrono::milliseconds sign_of_life_max{4'000};

void set_patience(connection& x, std::chrono::milliseconds patience) {
  timeval limit{static_cast<time_t>(patience.count() / 1000),
                static_cast<suseconds_t>(patience.count() % 1000 * 1000)};
  amqp_set_rpc_timeout(x.handle(), &limit);
}

/// With less sent ahead, acknowledgements are not kept.
constexpr size_t keep_from = 128;

} // namespace

expected<void> feed::connect() {
  lose();
  connection_.reset();
  auto opened
    = connection::open(url_, options_, options_.node.str() + " consume");
  if (!opened)
    return opened.error();
  connection_ = std::move(*opened);
  set_patience(*connection_, std::min(answer_max, options_.socket_timeout));
  broken_ = false;
  ledger_.on_channel_opened(clock::now());
  return {};
}

/// Whether the server still hears and is heard; and if so, no consumer is left.
bool feed::answers() {
  auto patience = std::min(answer_max, options_.socket_timeout);
  set_patience(*connection_, std::min(sign_of_life_max, patience));
  amqp_basic_qos(connection_->handle(), main_channel, 0, 1, false);
  auto done
    = connection_->check(amqp_get_rpc_reply(connection_->handle()), consuming);
  if (done && consuming_)
    done = cancel();
  set_patience(*connection_, patience);
  return done.has_value();
}

/// Registers a consumer for each queue that is wanted, in place of those that there
/// are.
expected<void> feed::register_consumers() {
  auto old = std::vector<std::string>{};
  for (auto& x : lanes_)
    if (!x.consumer.empty())
      old.push_back(std::exchange(x.consumer, {}));
  amqp_basic_qos(connection_->handle(), main_channel, 0,
                 static_cast<uint16_t>(std::min<size_t>(prefetch_, 65'535)),
                 false);
  auto done = connection_->check(
    amqp_get_rpc_reply(connection_->handle()), consuming);
  if (!done)
    return done;
  ++consumers_;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    auto& x = lanes_[i];
    if (!x.wanted)
      continue;
    // The lane's number comes first: deliveries are told apart by it.
    x.consumer = std::to_string(i) + '.' + std::to_string(consumers_);
    amqp_basic_consume(connection_->handle(), main_channel,
                       bytes(x.queue.str()), bytes(x.consumer), false, false,
                       false, amqp_empty_table);
    done = connection_->check(amqp_get_rpc_reply(connection_->handle()),
                              "consume queue " + x.queue.str());
    if (!done)
      return done;
  }
  for (auto& x : old) {
    amqp_basic_cancel(connection_->handle(), main_channel, bytes(x));
    done = connection_->check(amqp_get_rpc_reply(connection_->handle()), consuming);
    if (!done)
      return done;
  }
  consuming_ = true;
  return {};
}

expected<void> feed::cancel() {
  for (auto& x : lanes_) {
    if (x.consumer.empty())
      continue;
    amqp_basic_cancel(connection_->handle(), main_channel, bytes(x.consumer));
    auto done
      = connection_->check(amqp_get_rpc_reply(connection_->handle()), consuming);
    if (!done)
      return done;
    x.consumer.clear();
  }
  consuming_ = false;
  // What was on its way has arrived before the last answer.
  return pump(static_cast<size_t>(-1));
}

/// Takes in what has arrived, until there is `enough` or no more.
expected<void> feed::pump(size_t enough) {
  size_t count = 0;
  for (auto& x : lanes_)
    count += x.arrived.size();
  while (count < enough) {
    amqp_maybe_release_buffers(connection_->handle());
    amqp_envelope_t arrived;
    timeval at_once{0, 0};
    auto reply = amqp_consume_message(connection_->handle(), &arrived, &at_once,
                                      0);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
      auto fresh = accept(arrived);
      amqp_destroy_envelope(&arrived);
      if (!fresh)
        return fresh.error();
      count += *fresh ? 1u : 0u;
    } else if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
               && reply.library_error == AMQP_STATUS_TIMEOUT) {
      return {};
    } else if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
               && reply.library_error == AMQP_STATUS_UNEXPECTED_STATE) {
      auto frame = connection_->next(std::chrono::milliseconds{0}, consuming);
      if (!frame)
        return frame.error();
    } else {
      return connection_->check(reply, consuming);
    }
  }
  return {};
}

/// @returns whether it is to be handed out
expected<bool> feed::accept(const amqp_envelope_t& x) {
  size_t number = 0;
  auto text = view(x.consumer_tag);
  std::from_chars(text.data(), text.data() + text.size(), number);
  if (number >= lanes_.size())
    return connection_->failure(errc::unavailable, consuming,
                                "a message for an unknown consumer");
  auto print = fingerprint(x.message);
  switch (ledger_.on_arrival(x.delivery_tag, print, x.redelivered,
                             clock::now())) {
    case ledger::arrival::in_hand:
      ++num_in_hand_;
      return false;
    case ledger::arrival::done:
      ++num_done_;
      if (!send({x.delivery_tag, verdict::ack, false}))
        return *std::exchange(fault_, std::nullopt);
      return false;
    case ledger::arrival::fresh:
      break;
  }
  auto returns = (x.message.properties._flags & AMQP_BASIC_HEADERS_FLAG) != 0
                   ? number_in(x.message.properties.headers, "x-delivery-count")
                   : 0;
  ledger::entry one;
  one.lane = number;
  one.returns_often = returns >= returns_max;
  one.fingerprint = print;
  one.payload = to_envelope(x, ledger_.tag(x.delivery_tag));
  ledger_.add(x.delivery_tag, std::move(one));
  lanes_[number].arrived.push_back(x.delivery_tag);
  return true;
}

expected<void> feed::give_back(std::span<const uint64_t> numbers) {
  ledger::verdicts verdicts;
  for (auto number : numbers)
    verdicts.emplace(number, verdict::nack);
  for (auto& x : lanes_)
    std::erase_if(x.arrived,
                  [&](auto number) { return verdicts.count(number) > 0; });
  if (!send_all(ledger_.settle(std::move(verdicts), clock::now())))
    return *std::exchange(fault_, std::nullopt);
  return {};
}

/// @returns whether the connection lives
bool feed::send_all(std::span<const ledger::frame> frames) {
  return std::all_of(frames.begin(), frames.end(),
                     [this](auto& x) { return send(x); });
}

/// Acknowledgements are kept where tasks are short, so that much is sent ahead; and
/// never so many that it runs dry. None is kept when the reader will not come back
/// soon to look after them.
bool feed::acknowledge_overdue() {
  auto many = consuming_ && prefetch_ >= keep_from;
  return send_all(
    ledger_.overdue(clock::now(), many ? prefetch_ - prefetch_ / 4 : 0));
}

bool feed::send(const ledger::frame& x) {
  auto handle = connection_->handle();
  auto status
    = x.what == verdict::ack || x.what == verdict::moved
        ? amqp_basic_ack(handle, main_channel, x.number, x.multiple)
        : amqp_basic_nack(handle, main_channel, x.number, x.multiple,
                          x.what == verdict::nack);
  auto done = connection_->check(status, "acknowledge");
  if (!done) {
    lose();
    fault_ = done.error();
  }
  return done.has_value();
}

/// Forgets the channel: RabbitMQ gives its messages to somebody again. The
/// reader may be waiting for the socket, so that only it may close it.
void feed::lose() {
  if (connection_ && !broken_) {
    connection_->hang_up();
    ledger_.on_channel_lost(clock::now());
  }
  for (auto& x : lanes_) {
    x.arrived.clear();
    x.consumer.clear();
  }
  consuming_ = false;
  broken_ = true;
  prefetch_ = std::clamp<size_t>(options_.prefetch, 1, options_.prefetch_max);
  alert();
}

/// The reader waits for the socket; what is in memory it does not see.
void feed::alert() {
  if (broken_ || connection_->has_frames()
      || std::any_of(lanes_.begin(), lanes_.end(),
                     [](auto& x) { return !x.arrived.empty(); }))
    ready_.signal();
}

/// So that an operator need not wonder what became of them.
void feed::report() {
  if (num_done_ > 0)
    options_.tell(fmt::format("{} messages came back from {} that had been "
                              "acknowledged before the connection was lost: "
                              "they do not run again",
                              num_done_, connection_->location()));
  if (num_in_hand_ > 0)
    options_.tell(fmt::format("{} messages came back from {} whose tasks still "
                              "run here: they go on",
                              num_in_hand_, connection_->location()));
  num_done_ = num_in_hand_ = 0;
}

} // namespace umbel::amqp
