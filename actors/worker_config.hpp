// What a worker is started with: the settings and everything that was found out
// from them, the command line and the machine. A value; it is made once, before
// the first actor.
#pragma once

#include "actors/beat/run_beat.hpp"
#include "actors/pool/recycling.hpp"
#include "actors/consumer/revocations.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/client/settings.hpp"

#include <spdlog/common.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace umbel {

/// What runs the tasks (Celery's -P).
enum class pool_kind : uint8_t {
  prefork, ///< child processes
  threads, ///< threads of this process
  cooperative, ///< one thread, where a task that waits lets others run
  solo,    ///< this process, one task at a time
};

/// Between which sizes the pool moves (--autoscale).
struct autoscale_bounds {
  size_t min = 0;
  size_t max = 1; ///< at least 1, and not less than `min`
};

struct worker_config {
  umbel::settings settings;
  /// Node, queues and how to use the broker; the same for every connection. The
  /// incarnation is left to the worker.
  broker_options broker;
  pool_kind pool = pool_kind::prefork;
  /// Size of the pool at the start: with `autoscale` its lower bound, but at
  /// least 1; always 1 with solo.
  size_t concurrency = 1;
  std::optional<autoscale_bounds> autoscale;
  /// Idleness after which the pool shrinks.
  std::chrono::milliseconds autoscale_keepalive{30'000};
  /// Between two heartbeat events; none: --without-heartbeat.
  std::optional<std::chrono::milliseconds> heartbeat{2'000};
  bool gossip = true; ///< false: --without-gossip
  bool mingle = true; ///< false: --without-mingle
  revocation_limits revocations;
  std::string version;    ///< of this program
  std::string state_file; ///< -S; empty: none
  std::optional<beat_config> beat; ///< -B
  recycling_limits recycling; ///< none unless prefork
  std::vector<std::string> apps;      ///< task libraries as the operator named
                                      ///< them: "tasks"
  std::vector<std::string> libraries; ///< their files
  std::string child_executable;       ///< empty unless prefork
  spdlog::level::level_enum log_level = spdlog::level::warn;
  bool color = false; ///< in the log
  /// To be called once with the names of the tasks, when the pool is ready:
  /// shows the start banner. Never empty.
  std::function<void(std::span<const std::string>)> on_ready =
      [](std::span<const std::string>) {};
  /// To be called whenever the worker has begun to consume: its pool is ready
  /// and its connections are up. From any thread. Never empty.
  std::function<void()> on_running = [] {};
  bool term_is_quit = false; ///< REMAP_SIGTERM=SIGQUIT
  /// Else a hang-up is the end of the terminal: a warm shutdown.
  bool restart_on_hangup = true;
  /// Tells the service manager, in its words ("STOPPING=1"). From any thread.
  /// Never empty.
  std::function<void(const std::string&)> notify = [](const std::string&) {};
  /// The service manager wants a sign of life at least as often.
  std::optional<std::chrono::microseconds> watchdog;
};

} // namespace umbel
