// Options of a task: Celery's names, defaults and meaning (features section 6).
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace umbel {

/// Whose runs of a task a rate limit counts.
enum class rate_scope : uint8_t {
  worker,  ///< each worker's own, as in Celery
  cluster, ///< those of all workers together
};

/// What a task's author may set and a worker must know. An empty optional means
/// that the worker's own setting decides (`task_acks_late` and so on).
struct task_options {
  std::string name; ///< registered name: "tasks.add"
  std::optional<bool> acks_late;
  std::optional<bool> acks_on_failure_or_timeout;
  std::optional<bool> reject_on_worker_lost;
  std::optional<bool> ignore_result;
  std::optional<bool> store_errors_even_if_ignored;
  std::optional<bool> track_started;
  std::optional<int> max_retries = 3; ///< empty: for ever
  std::chrono::milliseconds default_retry_delay{180'000};
  std::optional<std::chrono::milliseconds> time_limit;
  std::optional<std::chrono::milliseconds> soft_time_limit;
  std::optional<std::string> rate_limit; ///< "10/s", "100/m"; "0/s": no limit
  rate_scope rate_limit_scope = rate_scope::worker;
  std::string rate_limit_key; ///< a message header: each value has a limit of its
                              ///< own; empty: one limit for the task
  /// Its function takes more than one argument: as an errback it gets the failed
  /// request, the exception and the traceback, not the task's id alone.
  bool takes_failure = false;
  bool unique = false; ///< there is one at a time with the same arguments
  // -- autoretry --------------------------------------------------------------
  bool retry_backoff = false;
  std::chrono::seconds retry_backoff_factor{1}; ///< retry_backoff=N in Celery
  std::chrono::seconds retry_backoff_max{600};
  bool retry_jitter = true;
};

/// The options as a JSON object with Celery's names, times in seconds. Members
/// that have their default are left out, except `name`. A `max_retries` of null
/// means for ever; `retry_backoff` is false, or the factor.
json::object to_json_object(const task_options& x);

/// Reads what `to_json_object` writes; unknown members are ignored.
/// @returns `malformed` naming the member that has the wrong type.
expected<task_options> parse_task_options(const json::value& x);

} // namespace umbel
