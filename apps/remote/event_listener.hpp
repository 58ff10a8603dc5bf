// Hears events on a thread of its own, for whoever shows them: connects again and
// again when the connection is lost, and keeps what has come until it is fetched.
#pragma once

#include "protocol/client/event_feed.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace umbel {

class event_listener {
public:
  /// Events that wait at most; then the oldest go.
  static constexpr size_t waiting_max = 50'000;

  struct heard {
    timestamp at; ///< by this machine's clock
    umbel::event event;
  };

  struct fetched {
    std::vector<heard> events;
    std::string trouble; ///< why there is no connection; empty: there is one
    size_t lost = 0;     ///< since the last time
  };

  /// Connects.
  static expected<std::unique_ptr<event_listener>>
  start(const std::string& url, const broker_options& options,
        const content_rules& rules, const broadcast_options& how);

  ~event_listener();

  /// What has come since the last time.
  fetched fetch();

private:
  event_listener(std::string url, broker_options options,
                 content_rules rules, broadcast_options how, event_feed first);

  void run(event_feed feed);
  std::optional<event_feed> connect_again();
  void add(std::vector<event> events);
  void tell(std::string trouble);

  const std::string url_;
  const broker_options options_;
  const content_rules rules_;
  const broadcast_options how_;
  std::mutex mutex_;
  std::condition_variable ending_;
  std::deque<heard> waiting_;
  std::string trouble_;
  size_t lost_ = 0;
  bool ended_ = false;
  std::thread thread_;
};

} // namespace umbel
