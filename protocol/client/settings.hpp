// Settings under Celery's lower-case names.
//
// A value comes from the last of these that gives it: the default, the JSON
// file (`--config`), the environment (`CELERY_<NAME>`), the command line.
// Names, meanings and defaults stand in settings.def; what is there is parsed,
// shown by `umbel settings` and described in the help.
#pragma once

#include "protocol/client/retry_policy.hpp"
#include "protocol/error.hpp"
#include "protocol/message/content.hpp"
#include "protocol/message/delivery_mode.hpp"
#include "protocol/message/json.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace umbel {

/// `broker_transport_options`: how to use the broker's keys. Must be the same
/// for every peer of a broker.
struct broker_transport_options {
  std::chrono::milliseconds visibility_timeout{3'600'000};
  std::string global_keyprefix;
  std::vector<int> priority_steps{0, 3, 6, 9};
  std::string sep{"\x06\x16"};
  std::optional<std::chrono::milliseconds> socket_timeout;
  std::optional<std::chrono::milliseconds> socket_connect_timeout;
  // Of filesystem://
  std::string data_folder_in{"data_in"};
  std::string data_folder_out{"data_out"};
  std::string control_folder{"control"};
  std::string processed_folder{"processed"};
  bool store_processed = false;
};

/// `result_backend_transport_options`.
struct result_transport_options {
  std::string global_keyprefix;
};

/// One queue of `task_queues`, bound to `exchange` with `routing_key`.
struct queue_setting {
  std::string name;
  std::string exchange;
  std::string exchange_type;
  std::string routing_key;
  std::optional<umbel::delivery_mode> delivery_mode;
  std::optional<int> max_priority;
  std::string queue_arguments{"{}"}; ///< a JSON object
};

/// `task_routes` as they were written and found good (protocol/canvas/router.hpp).
struct routes_setting {
  json::value text;
};

/// `broker_use_ssl`.
struct ssl_setting {
  bool enabled = false; ///< also where the URL does not say so
  std::string ca_certs; ///< file; empty: the system's authorities
  std::string certfile;
  std::string keyfile;
  bool verify = true; ///< cert_reqs is not CERT_NONE
};

/// A user or a group: "www-data", "33", and in JSON also 33. Empty: none.
struct name_or_number {
  std::string text;
};

/// A rate limit as it was written and found good: "10/s".
struct rate_setting {
  std::string text;
};

/// What `task_annotations` says of a task: it outranks the task's own options.
struct task_annotation {
  std::optional<rate_setting> rate_limit;
  std::optional<std::string> rate_limit_scope; ///< "worker", "cluster"
  std::optional<std::string> rate_limit_key;
};

/// The settings that have an effect. An empty optional is Celery's None.
struct settings {
  // -- broker -----------------------------------------------------------------

  std::string broker_url{"redis://127.0.0.1:6379/0"};
  std::chrono::milliseconds broker_connection_timeout{4'000};
  bool broker_connection_retry = true;
  /// None: for ever. Not Celery's 100: a worker that gives up kills what its
  /// children run, and here a broker that is away costs nothing.
  std::optional<size_t> broker_connection_max_retries;
  std::optional<bool> broker_connection_retry_on_startup;    ///< none: as above
  umbel::broker_transport_options broker_transport_options;
  std::chrono::seconds broker_heartbeat{120};
  int broker_heartbeat_checkrate = 3;
  std::optional<std::string> broker_login_method;
  ssl_setting broker_use_ssl;
  std::string broker_native_delayed_delivery_queue_type{"quorum"};

  // -- results ----------------------------------------------------------------

  std::string result_backend; ///< empty: where the broker is
  std::optional<std::chrono::seconds> result_expires{
      86'400}; ///< none, 0: never
  bool result_extended = false;
  std::chrono::milliseconds result_chord_retry_interval{1'000};
  serializer result_serializer = serializer::json;
  std::optional<std::vector<serializer>> result_accept_content;
  result_transport_options result_backend_transport_options;
  std::chrono::milliseconds redis_socket_timeout{120'000};
  std::optional<std::chrono::milliseconds> redis_socket_connect_timeout;

  // -- tasks ------------------------------------------------------------------

  bool task_acks_late = false;
  bool task_acks_on_failure_or_timeout = true;
  std::optional<bool> task_reject_on_worker_lost;
  bool task_ignore_result = false;
  bool task_store_errors_even_if_ignored = false;
  bool task_track_started = false;
  bool task_always_eager = false;
  bool task_store_eager_result = false;
  bool task_eager_propagates = false;
  std::optional<std::chrono::milliseconds> task_time_limit;
  std::optional<std::chrono::milliseconds> task_soft_time_limit;
  std::optional<rate_setting> task_default_rate_limit;
  std::map<std::string, task_annotation> task_annotations; ///< "*": any task
  std::string task_default_queue{"celery"};
  std::optional<std::string> task_default_exchange; ///< none: the queue's name
  std::string task_default_exchange_type{"direct"};
  std::optional<std::string> task_default_routing_key; ///< none: likewise
  std::string task_default_queue_type{"classic"};
  std::string task_create_missing_queue_type{"classic"};
  std::string task_create_missing_queue_exchange_type{"direct"};
  delivery_mode task_default_delivery_mode = delivery_mode::persistent;
  std::optional<int> task_queue_max_priority;
  std::optional<int> task_default_priority;
  bool task_inherit_parent_priority = false;
  bool task_send_sent_event = false;
  std::vector<queue_setting> task_queues;
  bool task_create_missing_queues = true;
  routes_setting task_routes;
  bool task_publish_retry = true;
  publish_retry_policy task_publish_retry_policy;
  serializer task_serializer = serializer::json;
  std::optional<compression> task_compression;
  size_t task_body_max = content_rules{}.body_max; ///< bytes; ours
  std::vector<std::string> imports;
  std::vector<std::string> include;
  std::vector<serializer> accept_content = content_rules{}.accepted;
  std::string timezone; ///< empty: UTC
  bool enable_utc = true;

  // -- webhooks (ours; protocol/webhook) --------------------------------------

  json::object webhook_tasks; ///< by name: a URL, or an object with members
  std::vector<std::string> webhook_allowed_hosts;
  std::vector<std::string> webhook_allowed_networks;

  // -- worker -----------------------------------------------------------------

  std::optional<size_t> worker_concurrency; ///< none: the number of CPUs
  /// None: not set, 4 is Celery's. Kept apart because a worker that may choose
  /// for itself must not overrule an operator who has chosen.
  std::optional<size_t> worker_prefetch_multiplier;
  bool worker_disable_prefetch = false;
  bool worker_direct = false;
  bool worker_deduplicate_successful_tasks = false;
  size_t worker_max_deliveries = 20; ///< ours
  bool worker_disable_rate_limits = false;
  /// Tasks whose time comes within seconds that a worker keeps; none: 1000. The
  /// others wait in the broker, so that no worker's memory depends on them.
  std::optional<size_t> worker_eta_task_limit;
  std::string worker_pool{"prefork"};
  /// Not Celery's 4 s: its children are forked with their libraries loaded.
  bool worker_fork_server = true; ///< ours
  std::chrono::milliseconds worker_proc_alive_timeout{30'000};
  /// None: AUTOSCALE_KEEPALIVE in the environment, or 30 s.
  std::optional<std::chrono::milliseconds> worker_autoscale_keepalive;
  std::optional<size_t> worker_max_tasks_per_child;
  std::optional<size_t> worker_max_memory_per_child;      ///< KiB
  std::optional<size_t> worker_hard_max_memory_per_child; ///< KiB; ours
  std::optional<std::string> worker_state_db; ///< none: nothing is remembered
  bool worker_enable_remote_control = true;
  std::chrono::milliseconds worker_deaf_timeout{10'000}; ///< ours
  bool worker_pool_restarts = false;
  bool worker_enable_control_kill = false; ///< ours
  bool worker_send_task_events = false;
  std::string worker_log_format{
      "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s"};
  std::optional<bool> worker_log_color; ///< none: on a terminal
  std::chrono::milliseconds worker_soft_shutdown_timeout{0};
  bool worker_enable_soft_shutdown_on_idle = false;

  // -- events and remote control ----------------------------------------------

  std::string event_exchange{"celeryev"};
  std::optional<std::chrono::milliseconds> event_queue_ttl{5'000};
  std::optional<std::chrono::milliseconds> event_queue_expires{60'000};
  std::string event_queue_prefix{"celeryev"};
  bool event_queue_exclusive = false;
  bool event_queue_durable = false;
  serializer event_serializer = serializer::json;
  std::optional<std::chrono::milliseconds> control_queue_ttl{300'000};
  std::optional<std::chrono::milliseconds> control_queue_expires{10'000};
  std::string control_exchange{"celery"};
  bool control_queue_exclusive = false;
  bool control_queue_durable = false;

  // -- beat -------------------------------------------------------------------

  json::object beat_schedule; ///< entries, see protocol/schedule/entry.hpp
  std::string beat_scheduler{"celery.beat:PersistentScheduler"};
  std::string beat_schedule_filename{"celerybeat-schedule"};
  std::chrono::milliseconds beat_max_loop_interval{0}; ///< 0: five minutes
  std::optional<std::chrono::milliseconds> beat_cron_starting_deadline;
  std::string beat_logfile; ///< empty: standard error
  std::string beat_pidfile; ///< empty: none
  size_t beat_sync_every = 0; ///< 0: what is due at the same time
  name_or_number beat_uid;
  name_or_number beat_gid;
  std::string beat_umask; ///< octal

  // -- worker: the process ----------------------------------------------------

  std::string worker_logfile; ///< empty: standard error
  std::string worker_pidfile; ///< empty: none
  name_or_number worker_uid;
  name_or_number worker_gid;
  std::string worker_umask; ///< octal
  std::string worker_executable;
};

/// Where settings come from.
struct settings_sources {
  std::string file; ///< path of a JSON file; empty: none
  std::map<std::string, std::string> environment;
  /// From the command line, in its order. A name may be dotted
  /// ("worker.prefetch_multiplier"); ".x" and "_x" mean "worker_x".
  std::vector<std::pair<std::string, std::string>> assignments;
};

/// Reads everything and checks names and values.
/// @param warnings gets one line for each setting that is known but has no
///                 effect yet
/// @returns `not_found` for a file that cannot be read, `invalid_setting` with
///          setting, value and what is expected for everything else.
expected<settings> load_settings(const settings_sources& sources,
                                 std::vector<std::string>& warnings);

/// What a child process must know, as a JSON object under Celery's names: every
/// `task_*` and `webhook_*` setting, `result_extended`, `result_serializer`,
/// `result_chord_retry_interval`, `worker_deduplicate_successful_tasks`, both
/// `*accept_content`, `timezone` and `enable_utc`. Of secrets it holds those of
/// webhooks, no other one: not to be shown.
std::string to_child_settings(const settings& x);

} // namespace umbel
