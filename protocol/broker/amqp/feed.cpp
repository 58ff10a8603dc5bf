#include "protocol/broker/amqp/feed.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>

namespace umbel::amqp {

namespace {

using clock = std::chrono::steady_clock;

/// By how much the prefetch count grows when it holds the worker up.
constexpr size_t growth = 4;

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
      ready_(std::move(ready)),
      prefetch_(std::clamp<size_t>(options.prefetch, 1, options.prefetch_max)),
      ledger_(options.node.str() + '/' + options.incarnation + '/') {
  options_.shared = nullptr; // it is this
  for (auto& queue : options.queues)
    lanes_.push_back({queue});
}

// -- the reader's side ------------------------------------------------------------

expected<void> feed::begin(uint64_t first_sequence) {
  std::unique_lock guard{mutex_};
  // A worker that finds itself deaf begins anew: with this, if it is what is deaf.
  if (connection_ && !broken_ && !answers())
    lose();
  auto has_channel = connection_ && !broken_;
  auto lost = ledger_.on_reader(first_sequence, has_channel);
  if (has_channel)
    return give_back(lost);
  fault_.reset();
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
    if (auto done = register_consumers(); !done)
      return fail(done.error());
  if (auto done = pump(max); !done)
    return fail(done.error());
  if (!acknowledge_overdue())
    return *std::exchange(fault_, std::nullopt);
  std::vector<delivery> result;
  auto full = ledger_.open().size() + ledger_.kept() >= prefetch_;
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
    result.push_back({delivery_tag{ledger_.tag(number)}, from.queue,
                      ledger_.hand_out(number)});
  }
  // The worker wants more than RabbitMQ may send.
  if (result.size() < max && full && prefetch_ < options_.prefetch_max) {
    prefetch_ = std::min(prefetch_ * growth, options_.prefetch_max);
    if (auto done = register_consumers(); !done)
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
    if (auto due = ledger_.due())
      timeout = std::clamp(
        std::chrono::ceil<std::chrono::milliseconds>(*due - clock::now()),
        std::chrono::milliseconds{0}, timeout);
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
  if (!acknowledge_overdue())
    return *std::exchange(fault_, std::nullopt);
  prefetch_ = std::clamp<size_t>(options_.prefetch, 1, options_.prefetch_max);
  std::vector<uint64_t> back;
  for (auto& x : lanes_)
    for (auto number : x.arrived)
      if (!ledger_.open().at(number).returns_often)
        back.push_back(number);
  return give_back(back);
}

expected<void> feed::change(std::span<const queue_name> queues) {
  std::unique_lock guard{mutex_};
  for (auto& x : lanes_)
    x.wanted = std::ranges::find(queues, x.queue) != queues.end();
  for (auto& queue : queues)
    if (std::ranges::find(lanes_, queue, &lane::queue) == lanes_.end())
      lanes_.push_back({queue});
  if (!connection_ || broken_)
    return {};
  if (consuming_) {
    auto done = register_consumers();
    // What was on its way has arrived before the last answer.
    if (done)
      done = pump(static_cast<size_t>(-1));
    if (!done) {
      lose();
      return done;
    }
  }
  std::vector<uint64_t> back;
  for (auto& x : lanes_)
    if (!x.wanted)
      back.insert(back.end(), x.arrived.begin(), x.arrived.end());
  return give_back(back);
}

// -- the writer's side ------------------------------------------------------------

bool feed::owns(const delivery_tag& tag) {
  std::unique_lock guard{mutex_};
  return ledger_.claim(tag) != nullptr;
}

std::optional<std::string> feed::payload(const delivery_tag& tag) {
  std::unique_lock guard{mutex_};
  auto x = ledger_.claim(tag);
  if (!x)
    return std::nullopt;
  return x->payload;
}

void feed::finish(const delivery_tag& tag) {
  std::unique_lock guard{mutex_};
  ledger_.finish(tag, clock::now());
}

void feed::settle(std::span<const std::pair<delivery_tag, verdict>> batch) {
  std::unique_lock guard{mutex_};
  ledger::verdicts verdicts;
  for (auto& [tag, what] : batch)
    if (auto number = ledger_.number_of(tag))
      verdicts.emplace(*number, what);
    else if (what == verdict::ack) // the channel was lost a moment ago
      ledger_.finish(tag, clock::now());
    else
      ledger_.claim(tag);
  if (verdicts.empty())
    return;
  if (send_all(ledger_.settle(std::move(verdicts), clock::now())))
    acknowledge_overdue();
  alert();
}

bool feed::remembers(const delivery_tag& tag) {
  std::unique_lock guard{mutex_};
  if (std::find(remembered_.rbegin(), remembered_.rend(), tag)
      != remembered_.rend())
    return true;
  ledger_.forget(tag); // it may be the message itself that is published again
  return false;
}

void feed::remember(const delivery_tag& tag) {
  std::unique_lock guard{mutex_};
  remembered_.push_back(tag);
  if (remembered_.size() > remembered_max)
    remembered_.pop_front();
}

void feed::serve() {
  std::unique_lock guard{mutex_, std::try_to_lock};
  if (!guard || !connection_ || broken_)
    return; // or the reader has it in hand
  if (auto done = pump(1); !done) {
    lose();
    fault_ = done.error();
  } else {
    acknowledge_overdue();
  }
  alert();
  report();
}

void feed::close() {
  std::unique_lock guard{mutex_};
  consuming_ = false;
  if (connection_ && !broken_ && acknowledge_overdue())
    connection_->close_main_channel(); // if that fails, there is no more to be done
  lose();
}

} // namespace umbel::amqp
