#include "protocol/broker/redis/polled.hpp"

#include "protocol/broker/redis/redis_broker.hpp"
#include "protocol/broker/redis/scripts.hpp"
#include "protocol/message/envelope.hpp"

#include <algorithm>
#include <utility>

namespace umbel {

using namespace redis;

namespace {

constexpr int tries_at_once = 10;

// Ends the wait of a client. In a transaction that writes, though nothing, because
// Redis holds that back while it pauses its clients: 7.0 dies of an UNBLOCK for one
// that it holds back itself (blocked.c, replyToBlockedClientTimedOut).
pipeline unblocking(std::string_view client, const keys& names) {
  pipeline result;
  result.add({"MULTI"});
  result.add({"UNLINK", names.nothing()});
  result.add({"CLIENT", "UNBLOCK", client});
  result.add({"EXEC"});
  return result;
}

// Of the replies that to UNBLOCK: 1 if it waited, or an error.
const redisReply& answer_of(std::span<const reply> replies) {
  auto results = elements_of(*replies.back());
  return results.size() == 2 ? *results[1] : *replies.back();
}

} // namespace

expected<std::unique_ptr<polled_broker>>
connect_polled_redis_broker(const std::string& url,
                            const broker_options& options) {
  auto connecting = connection_options_of(options);
  connecting.scripts = {&scripts::reserve, &scripts::supersede};
  keys names{options};
  auto reserving = connection::open(url, connecting);
  if (!reserving)
    return reserving.error();
  auto name = make_uuid();
  pipeline introduction;
  introduction.add({"CLIENT", "ID"});
  // Before it looks for what a predecessor has reserved, which reserves no more then.
  introduction.add({"EVALSHA", scripts::supersede.sha, "1",
                    names.reader(options.incarnation), name});
  auto introduced = (*reserving)->check(std::move(introduction), "log in");
  if (!introduced)
    return introduced.error();
  auto announcements = listener::open(**reserving, connecting, own_changes::ignored);
  if (!announcements)
    return announcements.error();
  connecting.scripts = {&scripts::settle};
  auto settling = connection::open(url, connecting);
  if (!settling)
    return settling.error();
  auto client = std::to_string(introduced->front()->integer);
  auto tried = (*settling)->run(unblocking(client, names), "log in");
  if (!tried)
    return tried.error();
  auto watched = descriptor_set::make();
  if (!watched)
    return watched.error();
  for (auto fd :
       {(*reserving)->fd(), (*announcements)->fd(), (*settling)->fd()})
    if (auto ok = watched->add(fd); !ok)
      return ok.error();
  std::unique_ptr<polled_broker> result = std::make_unique<polled_redis_broker>(
      polled_redis_broker::parts{std::move(*watched), std::move(*reserving),
                                 std::move(name), std::move(client),
                                 !is_error(answer_of(*tried)),
                                 std::move(*announcements),
                                 std::move(*settling)},
      options);
  return result;
}

namespace redis {

// -- polled_connection ----------------------------------------------------------

polled_connection::polled_connection(std::unique_ptr<connection> x,
                                     descriptor_set& watched)
    : connection_(std::move(x)), watched_(watched) {
}

expected<void>
polled_connection::begin(exchange& x,
                         std::optional<std::chrono::milliseconds> limit) {
  if (!x.done())
    under_way_.push_back(
        {&x, limit ? clock::now() + *limit : clock::time_point::max()});
  return send();
}

void polled_connection::limit(std::chrono::milliseconds x) {
  auto latest = clock::now() + x;
  for (auto& what : under_way_)
    what.deadline = std::min(what.deadline, latest);
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

polled_redis_broker::polled_redis_broker(parts x, const broker_options& options)
    : keys_(options), options_(options), watched_(std::move(x.watched)),
      source_(std::move(x.reserving), watched_),
      source_id_(std::move(x.reserving_id)),
      listener_(std::move(x.announcements)),
      reservation_(options, keys_, std::move(x.name)),
      can_wait_(x.can_wait),
      sink_(std::move(x.settling), watched_),
      stores_results_(redis::stores_results(*sink_, options)),
      words_(options, places{options, sink_->where().db}) {
}

std::string polled_redis_broker::location() const {
  return source_->where().str();
}

int polled_redis_broker::descriptor() const noexcept {
  return watched_.fd();
}

bool polled_redis_broker::stores_results() const {
  return stores_results_;
}

expected<void>
polled_redis_broker::declare(std::span<const queue_name> queues) {
  return declare_queues(*sink_, keys_, options_, queues);
}

expected<polled_broker::news> polled_redis_broker::advance() {
  news result;
  if (auto ok = listen(); !ok)
    return ok.error();
  if (auto ok = source_.advance(); !ok)
    return ok.error();
  if (reserving_ && reserving_->done())
    if (auto ok = end_reserve(result); !ok)
      return ok.error();
  if (auto ok = sink_.advance(); !ok)
    return ok.error();
  if (auto ok = advance_unblocking(); !ok)
    return ok.error();
  if (settling_ && settling_->under_way().done())
    if (auto ok = go_on_settling(result); !ok)
      return ok.error();
  return result;
}

// -- reserving --------------------------------------------------------------------

void polled_redis_broker::consume(std::span<const queue_name> queues) {
  reservation_.consume(queues);
  drained_ = false;
}

expected<std::optional<std::vector<delivery>>>
polled_redis_broker::begin_reserve(size_t max) {
  if (auto known = reservation_.known(max))
    return known;
  wanted_ = max;
  auto ok = std::exchange(drained_, false) ? wait() : ask();
  if (!ok)
    return ok.error();
  return std::optional<std::vector<delivery>>{};
}

expected<void> polled_redis_broker::ask() {
  using first_list = reservation::first_list;
  stage_ = stage::asked;
  announced_ = false;
  pipeline commands;
  reservation_.call(commands, wanted_,
                    can_wait_ ? first_list::awaited : first_list::tracked);
  reserving_.emplace(*source_, std::move(commands), reservation::doing);
  auto limit = std::exchange(sign_wanted_, false)
                   ? std::min(listener_->patience(), options_.socket_timeout)
                   : options_.socket_timeout;
  return source_.begin(*reserving_, limit);
}

expected<void> polled_redis_broker::wait() {
  if (!can_wait_) {
    stage_ = stage::put_off;
    return {};
  }
  stage_ = stage::waits;
  announced_ = false;
  ++waits_;
  pipeline commands;
  reservation_.wait(commands);
  reservation_.call(commands, wanted_, reservation::first_list::awaited);
  reserving_.emplace(*source_, std::move(commands), reservation::doing);
  return source_.begin(*reserving_, std::nullopt);
}

expected<void> polled_redis_broker::hurry() {
  return hurry(options_.socket_timeout);
}

expected<void> polled_redis_broker::hurry(std::chrono::milliseconds limit) {
  if (stage_ == stage::put_off)
    return ask();
  if (stage_ != stage::waits)
    return {};
  source_.limit(limit);
  if (!std::exchange(hurried_, true))
    tries_ = 0;
  return advance_unblocking();
}

// What is announced is on a list that nobody waits for, or it was there before
// somebody did.
expected<void> polled_redis_broker::listen() {
  auto heard = listener_->look();
  if (!heard)
    return heard.error();
  if (heard->announced) {
    announced_ = true;
    drained_ = false;
  }
  // A large settlement may be on the way that UNBLOCK has to take.
  sign_wanted_ = (sign_wanted_ || heard->sign_wanted) && !settling_;
  if (sign_wanted_ && stage_ == stage::waits) {
    sign_wanted_ = false;
    return hurry(std::min(listener_->patience(), options_.socket_timeout));
  }
  if (heard->announced || heard->sign_wanted)
    return hurry();
  return {};
}

// Two connections know no order: where the server has not yet seen that the one
// waits when it is asked to end that, it is asked again: at once a few times, then by
// each `advance`. A wait that it never sees is overdue in the end.
expected<void> polled_redis_broker::advance_unblocking() {
  auto again = true;
  if (unblocking_ && unblocking_->done()) {
    auto& answer = answer_of(unblocking_->replies());
    if (is_error(answer))
      return sink_->refusal(answer, reservation::doing);
    if (answer.integer == 1 && unblocking_wait_ == waits_)
      hurried_ = false;
    unblocking_.reset();
    again = ++tries_ < tries_at_once;
  }
  if (again && !unblocking_ && hurried_ && stage_ == stage::waits) {
    unblocking_wait_ = waits_;
    unblocking_.emplace(*sink_, unblocking(source_id_, keys_), reservation::doing);
    return sink_.begin(*unblocking_, options_.socket_timeout);
  }
  return {};
}

expected<void> polled_redis_broker::end_reserve(news& result) {
  auto replies = std::move(reserving_->replies());
  reserving_.reset();
  hurried_ = false;
  stage_ = stage::none;
  auto& answer = *replies.back();
  if (is_error(answer))
    return source_->refusal(answer, reservation::doing);
  result.reserved = reservation_.read(answer, wanted_);
  if (!result.reserved)
    return source_->broken(errc::unavailable, reservation::doing,
                           "an unexpected reply");
  drained_ = result.reserved->size() < wanted_ && !announced_;
  // A server that is out of memory, or a user without the right to do it: pushes to
  // all lists have to be announced then, which they were not asked for.
  if (replies.size() == 2 && is_error(*replies.front()))
    can_wait_ = drained_ = false;
  return {};
}

// -- settling -----------------------------------------------------------------------

expected<void>
polled_redis_broker::begin_settle(std::vector<settlement> batch) {
  batch_ = std::move(batch);
  settling_.emplace(words_, *sink_, batch_);
  return sink_.begin(settling_->under_way(), options_.socket_timeout);
}

expected<void> polled_redis_broker::go_on_settling(news& result) {
  auto effects = settling_->next();
  if (!effects)
    return effects.error();
  if (!*effects)
    return sink_.begin(settling_->under_way(), options_.socket_timeout);
  result.settled = std::move(*effects);
  settling_.reset();
  return {};
}

} // namespace redis

} // namespace umbel
