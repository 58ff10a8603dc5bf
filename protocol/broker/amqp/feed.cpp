#include "protocol/broker/amqp/feed.hpp"

#include "protocol/broker/amqp/message.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include <poll.h>

namespace umbel::amqp {

namespace {

constexpr auto doing = "consume";

/// By how much the prefetch count grows when it holds the worker up.
constexpr size_t growth = 4;

/// A quorum queue drops what has come back too often (20 times, since RabbitMQ
/// 4). What has come back so often stays here, unless it has to go.
constexpr int64_t returns_max = 5;

/// How many tags are remembered that were acknowledged before their end.
constexpr size_t remembered_max = 10'000;

} // namespace

// -- constructors, destructors ----------------------------------------------------

expected<std::shared_ptr<feed>> feed::of(const std::string& url,
                                         const broker_options& options) {
  std::unique_lock guard{options.shared->mutex};
  auto& place = options.shared->value;
  if (!place) {
    auto ready = wake_event::make();
    if (!ready)
      return ready.error();
    place = std::make_shared<feed>(url, options, std::move(*ready));
  }
  return std::static_pointer_cast<feed>(place);
}

feed::feed(std::string url, const broker_options& options,
           wake_event ready)
    : url_(std::move(url)), options_(options),
      tag_prefix_(options.node.str() + '/' + options.incarnation + '/'),
      ready_(std::move(ready)),
      prefetch_(std::clamp<size_t>(options.prefetch, 1, options.prefetch_max)) {
  options_.shared = nullptr; // it is this
  for (auto& queue : options.queues)
    lanes_.push_back({queue, {}, {}});
}

// -- the reader's side ------------------------------------------------------------

expected<void> feed::begin(uint64_t first_sequence) {
  std::unique_lock guard{mutex_};
  if (connection_ && !broken_) {
    std::vector<uint64_t> lost;
    for (auto& [number, x] : ledger_)
      if (x.handed_out && base_ + number >= first_sequence)
        lost.push_back(number);
    return give_back(lost);
  }
  fault_.reset();
  base_ = std::max(base_ + last_, first_sequence - 1);
  last_ = 0;
  return {};
}

expected<std::vector<delivery>> feed::take(size_t max) {
  std::unique_lock guard{mutex_};
  if (fault_) {
    auto x = std::exchange(fault_, std::nullopt);
    return *x;
  }
  auto fail = [this](const error& x) {
    lose();
    fault_.reset();
    return x;
  };
  if (!connection_ || broken_)
    if (auto done = connect(); !done)
      return fail(done.error());
  if (!consuming_)
    if (auto done = consume(); !done)
      return fail(done.error());
  if (auto done = pump(max); !done)
    return fail(done.error());
  std::vector<delivery> result;
  auto full = ledger_.size() >= prefetch_;
  for (size_t idle = 0; idle < lanes_.size() && result.size() < max;) {
    auto& from = lanes_[first_lane_];
    first_lane_ = (first_lane_ + 1) % lanes_.size();
    if (from.arrived.empty()) {
      ++idle;
      continue;
    }
    idle = 0;
    auto number = from.arrived.front();
    from.arrived.pop_front();
    auto& x = ledger_.at(number);
    x.handed_out = true;
    result.push_back({delivery_tag{tag(number)}, from.queue, x.payload});
  }
  // The worker wants more than RabbitMQ may send.
  if (result.size() < max && full && prefetch_ < options_.prefetch_max) {
    prefetch_ = std::min(prefetch_ * growth, options_.prefetch_max);
    if (auto done = consume(); !done)
      return fail(done.error());
  }
  return result;
}

expected<void> feed::wait(std::chrono::milliseconds timeout,
                          wake_event& wake) {
  int fd = -1;
  {
    std::unique_lock guard{mutex_};
    ready_.clear();
    auto arrived = std::any_of(lanes_.begin(), lanes_.end(),
                               [](auto& x) { return !x.arrived.empty(); });
    if (arrived || fault_ || !connection_ || broken_
        || connection_->has_frames())
      return {};
    fd = connection_->fd();
  }
  std::array<pollfd, 3> fds{pollfd{fd, POLLIN, 0},
                            pollfd{wake.fd(), POLLIN, 0},
                            pollfd{ready_.fd(), POLLIN, 0}};
  auto n = ::poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));
  if (n < 0 && errno != EINTR)
    return error{errc::unavailable,
                 std::string{"cannot wait for messages: "}
                   + std::strerror(errno)};
  if (fds[1].revents != 0)
    wake.clear();
  return {};
}

expected<void> feed::pause() {
  std::unique_lock guard{mutex_};
  if (!connection_ || broken_ || !consuming_)
    return {};
  if (auto done = cancel(); !done) {
    lose();
    return done;
  }
  prefetch_ = std::clamp<size_t>(options_.prefetch, 1, options_.prefetch_max);
  std::vector<uint64_t> back;
  for (auto& x : lanes_)
    for (auto number : x.arrived)
      if (!ledger_.at(number).returns_often)
        back.push_back(number);
  return give_back(back);
}

// -- the writer's side ------------------------------------------------------------

bool feed::owns(const delivery_tag& tag) {
  std::unique_lock guard{mutex_};
  return find(tag) != ledger_.end();
}

std::optional<std::string> feed::payload(const delivery_tag& tag) {
  std::unique_lock guard{mutex_};
  auto i = find(tag);
  if (i == ledger_.end())
    return std::nullopt;
  return i->second.payload;
}

void feed::settle(std::span<const std::pair<delivery_tag, verdict>> batch) {
  std::unique_lock guard{mutex_};
  if (!connection_ || broken_)
    return;
  std::map<uint64_t, verdict> verdicts;
  for (auto& [tag, what] : batch)
    if (auto i = find(tag); i != ledger_.end())
      verdicts.emplace(i->first, what);
  settle_all(verdicts);
  alert();
}

bool feed::remember(const delivery_tag& tag) {
  std::unique_lock guard{mutex_};
  if (std::find(remembered_.rbegin(), remembered_.rend(), tag)
      != remembered_.rend())
    return false;
  remembered_.push_back(tag);
  if (remembered_.size() > remembered_max)
    remembered_.pop_front();
  return true;
}

void feed::serve() {
  std::unique_lock guard{mutex_};
  if (!connection_ || broken_)
    return;
  if (auto done = pump(1); !done) {
    lose();
    fault_ = done.error();
  }
  alert();
}

void feed::close() {
  std::unique_lock guard{mutex_};
  lose();
}

// -- the connection ---------------------------------------------------------------

expected<void> feed::connect() {
  lose();
  connection_.reset();
  auto opened
    = connection::open(url_, options_, options_.node.str() + " consume");
  if (!opened)
    return opened.error();
  connection_ = std::move(*opened);
  broken_ = false;
  return {};
}

/// Registers a consumer for each queue, in place of the one that it may have.
expected<void> feed::consume() {
  auto old = std::vector<std::string>{};
  for (auto& x : lanes_)
    if (!x.consumer.empty())
      old.push_back(x.consumer);
  amqp_basic_qos(connection_->handle(), main_channel, 0,
                 static_cast<uint16_t>(std::min<size_t>(prefetch_, 65'535)),
                 false);
  auto done = connection_->check(
    amqp_get_rpc_reply(connection_->handle()), doing);
  if (!done)
    return done;
  ++consumers_;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    auto& x = lanes_[i];
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
    done = connection_->check(amqp_get_rpc_reply(connection_->handle()), doing);
    if (!done)
      return done;
  }
  consuming_ = true;
  return {};
}

expected<void> feed::cancel() {
  for (auto& x : lanes_) {
    amqp_basic_cancel(connection_->handle(), main_channel, bytes(x.consumer));
    auto done
      = connection_->check(amqp_get_rpc_reply(connection_->handle()), doing);
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
      auto done = accept(arrived);
      amqp_destroy_envelope(&arrived);
      if (!done)
        return done;
      ++count;
    } else if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
               && reply.library_error == AMQP_STATUS_TIMEOUT) {
      return {};
    } else if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
               && reply.library_error == AMQP_STATUS_UNEXPECTED_STATE) {
      auto frame = connection_->next(std::chrono::milliseconds{0}, doing);
      if (!frame)
        return frame.error();
    } else {
      return connection_->check(reply, doing);
    }
  }
  return {};
}

expected<void> feed::accept(const amqp_envelope_t& x) {
  size_t number = 0;
  auto text = view(x.consumer_tag);
  std::from_chars(text.data(), text.data() + text.size(), number);
  if (number >= lanes_.size())
    return connection_->failure(errc::unavailable, doing,
                                "a message for an unknown consumer");
  last_ = x.delivery_tag;
  auto returns = (x.message.properties._flags & AMQP_BASIC_HEADERS_FLAG) != 0
                   ? number_in(x.message.properties.headers, "x-delivery-count")
                   : 0;
  ledger_.emplace_hint(ledger_.end(), x.delivery_tag,
                       entry{number, false, returns >= returns_max,
                             to_envelope(x, tag(x.delivery_tag))});
  lanes_[number].arrived.push_back(x.delivery_tag);
  return {};
}

expected<void> feed::give_back(std::span<const uint64_t> numbers) {
  std::map<uint64_t, verdict> verdicts;
  for (auto number : numbers)
    verdicts.emplace(number, verdict::nack);
  for (auto& x : lanes_)
    std::erase_if(x.arrived,
                  [&](auto number) { return verdicts.count(number) > 0; });
  settle_all(verdicts);
  if (fault_)
    return *std::exchange(fault_, std::nullopt);
  return {};
}

/// One frame for a run at the ledger's beginning, one for each of the others.
void feed::settle_all(std::map<uint64_t, verdict>& verdicts) {
  auto send = [&](uint64_t number, verdict what, bool multiple) {
    auto handle = connection_->handle();
    auto status = what == verdict::ack
                    ? amqp_basic_ack(handle, main_channel, number, multiple)
                    : amqp_basic_nack(handle, main_channel, number, multiple,
                                      what == verdict::nack);
    auto done = connection_->check(status, "acknowledge");
    if (!done) {
      lose();
      fault_ = done.error();
    }
    return done.has_value();
  };
  while (!verdicts.empty()) {
    auto [number, what] = *verdicts.begin();
    auto multiple = number == ledger_.begin()->first;
    auto last = verdicts.begin();
    auto end = ledger_.find(number);
    if (multiple) {
      // As far as ledger and verdicts go together and say the same.
      auto i = last;
      for (auto j = end; i != verdicts.end() && j != ledger_.end()
                         && i->first == j->first && i->second == what;
           ++i, ++j) {
        last = i;
        end = j;
      }
    }
    auto up_to = last->first;
    ledger_.erase(ledger_.find(number), std::next(end));
    verdicts.erase(verdicts.begin(), std::next(last));
    if (!send(up_to, what, multiple && up_to != number))
      return;
  }
}

/// Forgets the channel: RabbitMQ gives its messages to somebody again. The
/// reader may be waiting for the socket, so that only it may close it.
void feed::lose() {
  if (connection_ && !broken_)
    connection_->hang_up();
  ledger_.clear();
  for (auto& x : lanes_) {
    x.arrived.clear();
    x.consumer.clear();
  }
  consuming_ = false;
  base_ += last_;
  last_ = 0;
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

std::string feed::tag(uint64_t number) const {
  return tag_prefix_ + std::to_string(base_ + number);
}

feed::ledger::iterator feed::find(const delivery_tag& tag) {
  std::string_view text{tag.str()};
  uint64_t sequence = 0;
  if (!text.starts_with(tag_prefix_))
    return ledger_.end();
  text.remove_prefix(tag_prefix_.size());
  auto [end, ec]
    = std::from_chars(text.data(), text.data() + text.size(), sequence);
  if (ec != std::errc{} || end != text.data() + text.size()
      || sequence <= base_)
    return ledger_.end();
  auto i = ledger_.find(sequence - base_);
  return i != ledger_.end() && i->second.handed_out ? i : ledger_.end();
}

} // namespace umbel::amqp
