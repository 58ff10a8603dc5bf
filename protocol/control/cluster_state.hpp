// What is known of a cluster from its events: the picture that monitors show, as
// `celery.events.State` has it. Its memory is bounded, whatever is said and by
// however many.
#pragma once

#include "protocol/control/event.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace umbel {

/// One worker.
struct observed_worker {
  node_name node;
  bool said_offline = false;
  timestamp heard{};        ///< the last time, by the listener's clock
  double interval = 60;     ///< seconds between its heartbeats
  int64_t pid = 0;
  uint64_t active = 0;
  uint64_t processed = 0;
  std::array<double, 3> load{};
  std::string software; ///< "umbel 0.1.0 (Linux)"

  /// Whether it lives, as far as one can hear: it is silent for less than two
  /// heartbeats.
  bool online(timestamp now) const;
};

/// One task.
struct observed_task {
  std::string id;
  std::string name;   ///< empty: was not told
  std::string state;  ///< Celery's: "RECEIVED"; of custom events their own
  node_name node;     ///< who runs it
  timestamp changed{}; ///< when the last event was heard
  /// What its events have told, under their names: args, kwargs, eta, result,
  /// exception, traceback, runtime, root_id ...
  std::map<std::string, std::string, std::less<>> facts;

  std::string_view fact(std::string_view name) const;
};

/// How often something has ended.
struct task_counts {
  uint64_t received = 0;
  uint64_t succeeded = 0;
  uint64_t failed = 0;
  uint64_t retried = 0;
  uint64_t revoked = 0; ///< and rejected
};

class cluster_state {
public:
  /// Celery's bound. Of more the one goes that was not heard of for longest.
  static constexpr size_t tasks_max = 10'000;
  static constexpr size_t workers_max = 1'000;

  /// Longest text that is kept of a field; of a traceback four times as much.
  static constexpr size_t text_max = 1'024;
  static constexpr size_t facts_max = 32; ///< of one task

  /// @param heard the present time, by the clock of whoever listens
  void apply(const event& x, timestamp heard);

  /// By name.
  std::vector<const observed_worker*> workers() const;

  /// What was heard last comes first; at most `max`.
  std::vector<const observed_task*> tasks(size_t max) const;

  /// @returns null if it is not known, or not any more
  const observed_task* find(std::string_view id) const;

  size_t task_count() const noexcept {
    return tasks_.size();
  }

  const task_counts& counts() const noexcept {
    return counts_;
  }

  /// How many events were heard.
  uint64_t events() const noexcept {
    return events_;
  }

  /// Tasks that ended per second, and events, during the last seconds.
  double tasks_per_second(timestamp now) const;
  double events_per_second(timestamp now) const;

private:
  /// What happened in one second.
  struct second {
    std::chrono::sys_seconds at;
    uint64_t ended = 0;
    uint64_t events = 0;
  };

  void count(bool ended, timestamp heard);
  void apply_to_worker(const event& x, timestamp heard);
  void apply_to_task(const event& x, timestamp heard);
  observed_worker* worker(const node_name& node);
  template <class Member>
  double per_second(timestamp now, Member what) const;

  std::map<node_name, observed_worker> workers_;
  std::list<observed_task> tasks_; ///< what was heard last is the first
  std::unordered_map<std::string, std::list<observed_task>::iterator> by_id_;
  task_counts counts_;
  uint64_t events_ = 0;
  std::deque<second> seconds_;
};

} // namespace umbel
