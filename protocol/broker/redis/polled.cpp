#include "protocol/broker/redis/polled.hpp"

#include "protocol/broker/redis/redis_broker.hpp"

#include <algorithm>
#include <utility>

namespace umbel {

using namespace redis;

expected<std::unique_ptr<polled_broker>>
connect_polled_redis_broker(const std::string& url,
                            const broker_options& options) {
  auto connecting = connection_options_of(options);
  auto main = connection::open(url, connecting);
  if (!main)
    return main.error();
  auto announcements = listener::open(**main, connecting);
  if (!announcements)
    return announcements.error();
  auto watched = descriptor_set::make();
  if (!watched)
    return watched.error();
  for (auto fd : {(*main)->fd(), (*announcements)->fd()})
    if (auto ok = watched->add(fd); !ok)
      return ok.error();
  std::unique_ptr<polled_broker> result = std::make_unique<polled_redis_broker>(
      polled_connection{std::move(*main), std::move(*watched)},
      std::move(*announcements), options);
  return result;
}

namespace redis {

// -- polled_connection ----------------------------------------------------------

polled_connection::polled_connection(std::unique_ptr<connection> x,
                                     descriptor_set watched)
    : connection_(std::move(x)), watched_(std::move(watched)) {
}

expected<void> polled_connection::begin(exchange& x,
                                        std::chrono::milliseconds limit) {
  if (!x.done())
    under_way_.push_back({&x, clock::now() + limit});
  return send();
}

expected<void> polled_connection::send() {
  bool unsent = false;
  for (auto& x : under_way_) {
    if (auto ok = x.what->send(); !ok)
      return ok.error();
    unsent = x.what->unsent();
    if (unsent)
      break;
  }
  if (std::exchange(watches_output_, unsent) != unsent)
    watched_.watch_output(connection_->fd(), unsent);
  return {};
}

expected<void> polled_connection::advance() {
  if (under_way_.empty())
    return check_idle();
  if (auto ok = send(); !ok)
    return ok.error();
  while (!under_way_.empty()) {
    auto first = under_way_.front();
    auto x = connection_->receive_now(first.what->doing());
    if (!x)
      return x.error();
    if (!*x)
      return check_deadlines();
    auto progress = first.what->take(std::move(*x));
    if (progress == exchange::progress::more)
      continue;
    under_way_.pop_front();
    if (progress == exchange::progress::again) {
      under_way_.push_back(first);
      if (auto ok = send(); !ok)
        return ok.error();
    }
  }
  return {};
}

expected<void> polled_connection::check_idle() {
  // Nothing was asked, so what is there can only be the connection's end.
  constexpr auto doing = "wait for messages";
  auto x = connection_->receive_now(doing);
  if (!x)
    return x.error();
  if (*x)
    return connection_->broken(errc::unavailable, doing,
                               "a reply that nobody asked for");
  return {};
}

expected<void> polled_connection::check_deadlines() {
  auto now = clock::now();
  for (auto& x : under_way_)
    if (now > x.deadline)
      return connection_->broken(errc::timeout, x.what->doing(),
                                 "no reply in time");
  return {};
}

// -- polled_redis_broker --------------------------------------------------------

polled_redis_broker::polled_redis_broker(
    polled_connection main, std::unique_ptr<listener> announcements,
    const broker_options& options)
    : main_(std::move(main)), listener_(std::move(announcements)),
      keys_(options), options_(options),
      stores_results_(redis::stores_results(*main_, options)),
      reservation_(options, keys_),
      words_(options, places{options, main_->where().db}) {
}

std::string polled_redis_broker::location() const {
  return main_->where().str();
}

int polled_redis_broker::descriptor() const noexcept {
  return main_.descriptor();
}

bool polled_redis_broker::stores_results() const {
  return stores_results_;
}

expected<void>
polled_redis_broker::declare(std::span<const queue_name> queues) {
  return declare_queues(*main_, keys_, options_, queues);
}

void polled_redis_broker::consume(std::span<const queue_name> queues) {
  reservation_.consume(queues);
}

expected<std::optional<std::vector<delivery>>>
polled_redis_broker::begin_reserve(size_t max) {
  if (auto known = reservation_.known(max))
    return known;
  wanted_ = max;
  reserving_.emplace(*main_, reservation_.commands(max), reservation::doing);
  auto limit = std::exchange(sign_wanted_, false)
                   ? std::min(listener_->patience(), options_.socket_timeout)
                   : options_.socket_timeout;
  if (auto ok = main_.begin(*reserving_, limit); !ok)
    return ok.error();
  return std::optional<std::vector<delivery>>{};
}

expected<void>
polled_redis_broker::begin_settle(std::vector<settlement> batch) {
  batch_ = std::move(batch);
  settling_.emplace(words_, *main_, batch_);
  return main_.begin(settling_->under_way(), options_.socket_timeout);
}

expected<polled_broker::news> polled_redis_broker::advance() {
  news result;
  auto heard = listener_->look();
  if (!heard)
    return heard.error();
  sign_wanted_ = sign_wanted_ || heard->sign_wanted;
  result.announced = heard->announced || heard->sign_wanted;
  if (auto ok = main_.advance(); !ok)
    return ok.error();
  if (reserving_ && reserving_->done())
    if (auto ok = end_reserve(result); !ok)
      return ok.error();
  if (settling_ && settling_->under_way().done())
    if (auto ok = go_on_settling(result); !ok)
      return ok.error();
  return result;
}

expected<void> polled_redis_broker::end_reserve(news& result) {
  if (auto ok = reserving_->check(); !ok)
    return ok.error();
  auto replies = std::move(reserving_->replies());
  reserving_.reset();
  result.reserved = reservation_.read(*replies.front(), wanted_);
  if (!result.reserved)
    return main_->broken(errc::unavailable, reservation::doing,
                         "an unexpected reply");
  return {};
}

expected<void> polled_redis_broker::go_on_settling(news& result) {
  auto effects = settling_->next();
  if (!effects)
    return effects.error();
  if (!*effects)
    return main_.begin(settling_->under_way(), options_.socket_timeout);
  result.settled = std::move(*effects);
  settling_.reset();
  return {};
}

} // namespace redis

} // namespace umbel
