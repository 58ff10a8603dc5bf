// When a message is acknowledged, and what goes with it: Celery's rules for
// acks_late, acks_on_failure_or_timeout, reject_on_worker_lost, ignore_result
// (contract section 11). Pure functions; the consumer sends what they return.
#pragma once

#include "actors/consumer/request.hpp"
#include "protocol/backend/document.hpp"
#include "protocol/task/outcome.hpp"

#include <string>

namespace umbel {

/// The worker's settings that stand in for options a task does not set.
struct acknowledgement_defaults {
  bool acks_late = false;
  bool acks_on_failure_or_timeout = true;
  bool reject_on_worker_lost = false;
  bool ignore_result = false;
  bool store_errors_even_if_ignored = false;
};

/// The task's options with every empty one taken from `defaults`.
task_options resolve(task_options task,
                     const acknowledgement_defaults& defaults);

/// The run has ended in `x`.
settlement settle_outcome(const request& r, outcome x);

/// The child died while it ran.
/// @param how "signal 9 (SIGKILL)"
settlement settle_lost(const request& r, const std::string& how);

/// It was killed at its hard time limit.
settlement settle_timed_out(const request& r, std::chrono::milliseconds limit);

/// The worker shuts down cold while it runs.
settlement settle_abandoned(const request& r);

/// It is never run: its state is `status` with this exception.
settlement settle_refused(const request& r, const std::string& status,
                          const exception_info& why);

/// It was revoked.
/// @param why "revoked", "expired" or "terminated"
settlement settle_revoked(const request& r, const std::string& why);

/// Put back unrun, to be consumed next by anybody.
settlement settle_restored(const request& r);

/// Put into the broker's care, unrun, until it is due. If it is a rate limit that
/// it waits for, its message is marked, so that it does not join the line's end again.
settlement settle_delayed(const request& r, timestamp due);

/// It was begun too often without an end, and is parked.
/// @param payload the message with its history
settlement settle_given_up(const request& r, std::string payload,
                           const std::string& reason);

/// It cannot be a task at all: parked, with the reason. If at least its id can be
/// read, that task has failed.
settlement settle_malformed(const delivery& x, const std::string& reason,
                            std::shared_ptr<const runner_settings> settings);

} // namespace umbel
