// The settings that matter where tasks are run: Celery's names and meaning.
#pragma once

#include "protocol/backend/chord_counting.hpp"
#include "protocol/error.hpp"
#include "protocol/message/content.hpp"
#include "protocol/message/json.hpp"
#include "protocol/task/options.hpp"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace umbel {

struct task_call;
struct routing;

/// Celery's defaults.
std::shared_ptr<const routing> default_routing();

struct runner_settings {
  std::string node; ///< "celery@host": `hostname` of the request
  bool task_ignore_result = false;
  bool task_store_errors_even_if_ignored = false;
  bool task_track_started = false;
  bool result_extended = false;
  bool task_acks_late = false;
  bool worker_deduplicate_successful_tasks = false;
  bool task_always_eager = false;
  bool task_store_eager_result = false;
  double result_chord_retry_interval = 1.0; ///< seconds
  /// What becomes of chords in the worker's result store.
  chord_counting chords = chord_counting::counted;
  bool keeps_unique_keys = true; ///< the worker's broker does
  /// Adds to each call that is made what is known of its task. Empty where there is no
  /// registry.
  std::function<void(task_call&)> complete;
  /// Names of tasks that take more than the id of a task as errbacks. For those
  /// who have no registry.
  std::set<std::string, std::less<>> failure_takers;
  /// task_default_queue, task_routes, task_queues ...: where what is sent goes.
  /// Never null.
  std::shared_ptr<const umbel::routing> routing = default_routing();
  content_rules content; ///< accept_content, task_body_max
  /// task_serializer, task_compression: of messages that belong to no other one.
  body_form task_form;
  serializer result_serializer = serializer::json;
  /// Whether results in it are read: result_accept_content.
  bool result_accepted = true;
  /// webhook_tasks, webhook_allowed_hosts ... as they were given. Never null.
  std::shared_ptr<const json::object> webhooks =
      std::make_shared<const json::object>();
};

/// Remembers which of these take a failure.
void add_failure_takers(runner_settings& to,
                        const std::vector<task_options>& tasks);

/// What stands beside the settings in that text: `chord_counting`, by its name, and
/// whether the broker keeps the keys of unique tasks.
inline constexpr std::string_view chord_counting_name = "umbel_chords";
inline constexpr std::string_view unique_keys_name = "umbel_unique_keys";

/// Reads the settings from JSON text, an object. Other names are ignored.
/// @returns `malformed` if it is no object, `invalid_setting` for a value of
/// the wrong type.
expected<runner_settings> parse_runner_settings(std::string node,
                                                std::string_view text);

} // namespace umbel
