// Runs beats: alone (`umbel beat`) or as a part of a worker (-B).
//
//     supervisor "beat"   one_for_one, backoff
//     `- beat             sends what is due
#pragma once

#include "actors/beat/beat_plan.hpp"
#include "actors/beat/periodic_tasks.hpp"
#include "actors/locked_database.hpp"
#include "actors/supervision/child_spec.hpp"
#include "protocol/broker/broker.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

struct beat_config {
  std::string broker_url;
  broker_options broker; ///< how to use it
  beat_plan_options plan;
  periodic_tasks libraries;
  bool sent_events = false; ///< `task_send_sent_event`
  serializer event_serializer = serializer::json;
  umbel::routing routing; ///< where tasks go
  std::string memory; ///< -s: a path, or redis://...
  std::chrono::microseconds max_interval = std::chrono::minutes{5};
  size_t batch_max = 500; ///< tasks sent before they are noted
  /// To be called whenever the beat is connected. From any thread. Never empty.
  std::function<void()> on_running = [] {};
};

/// Opens where a schedule is remembered.
/// @param memory a path or a Redis URL
/// @param role as what a file is opened
/// @returns `invalid_setting` with what is wrong; a Redis server is not asked yet
expected<std::unique_ptr<schedule::store>>
open_schedule(const std::string& memory, const std::string& broker_url,
              const broker_options& options, database_role role);

/// Opens the store; a file is read. @returns what is wrong with it
expected<std::shared_ptr<beat_plan>> open_plan(const beat_config& config);

/// The beat with a supervisor of its own, for a tree.
child_spec beat_spec(const beat_config& config, std::shared_ptr<beat_plan> plan);

/// Sends tasks until SIGTERM or SIGINT. Blocks. Call it from main, before any other
/// thread is started: it sets the signal mask that threads inherit.
/// @returns the exit status
int run_beat(const beat_config& config);

} // namespace umbel
