#include "apps/remote/event_listener.hpp"

#include <algorithm>

namespace umbel {

namespace {

using namespace std::chrono_literals;

/// How long an end may take to be noticed.
constexpr auto step = 200ms;

constexpr auto pause_first = 1'000ms;
constexpr auto pause_max = 10'000ms;

} // namespace

expected<std::unique_ptr<event_listener>>
event_listener::start(const std::string& url,
                           const broker_options& options,
                           const content_rules& rules,
                           const broadcast_options& how) {
  auto feed = event_feed::connect(url, options, rules, how);
  if (!feed)
    return feed.error();
  return std::unique_ptr<event_listener>{
    new event_listener{url, options, rules, how, std::move(*feed)}};
}

event_listener::event_listener(std::string url,
                                         broker_options options,
                                         content_rules rules,
                                         broadcast_options how, event_feed first)
    : url_(std::move(url)), options_(std::move(options)),
      rules_(std::move(rules)), how_(std::move(how)) {
  thread_ = std::thread{
    [this, feed = std::move(first)]() mutable { run(std::move(feed)); }};
}

event_listener::~event_listener() {
  {
    std::lock_guard guard{mutex_};
    ended_ = true;
  }
  ending_.notify_all();
  thread_.join();
}

event_listener::fetched event_listener::fetch() {
  std::lock_guard guard{mutex_};
  fetched result;
  result.events.assign(std::make_move_iterator(waiting_.begin()),
                       std::make_move_iterator(waiting_.end()));
  waiting_.clear();
  result.trouble = trouble_;
  result.lost = std::exchange(lost_, 0);
  return result;
}

void event_listener::run(event_feed feed) {
  for (;;) {
    auto events = feed.next(step);
    {
      std::lock_guard guard{mutex_};
      if (ended_)
        return;
    }
    if (events) {
      add(std::move(*events));
      continue;
    }
    tell(events.error().what);
    auto again = connect_again();
    if (!again)
      return;
    feed = std::move(*again);
    tell({});
  }
}

/// @returns nothing if this is the end
std::optional<event_feed> event_listener::connect_again() {
  for (auto pause = pause_first;; pause = std::min(2 * pause, pause_max)) {
    {
      std::unique_lock guard{mutex_};
      if (ending_.wait_for(guard, pause, [this] { return ended_; }))
        return std::nullopt;
    }
    auto feed = event_feed::connect(url_, options_, rules_, how_);
    if (feed)
      return std::move(*feed);
    tell(feed.error().what);
  }
}

void event_listener::add(std::vector<event> events) {
  auto time = now();
  std::lock_guard guard{mutex_};
  for (auto& x : events)
    waiting_.push_back({time, std::move(x)});
  while (waiting_.size() > waiting_max) {
    waiting_.pop_front();
    ++lost_;
  }
}

void event_listener::tell(std::string trouble) {
  std::lock_guard guard{mutex_};
  trouble_ = std::move(trouble);
}

} // namespace umbel
