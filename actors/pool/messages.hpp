// The messages of the pool: between consumer and pool supervisor, and between
// pool supervisor and child workers. All are local to this process.
#pragma once

#include "actors/pool/job.hpp"
#include "protocol/error.hpp"
#include "protocol/task/options.hpp"
#include "protocol/task/outcome.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/actor.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace umbel {

// -- consumer to pool supervisor ----------------------------------------------

/// From now on, report to this actor.
struct attach_consumer {
  caf::actor consumer;
};

/// Run these, in this order as far as children are free.
struct run_jobs {
  std::vector<job> jobs;
};

/// Give back jobs that no child has begun, the newest first, until at most
/// `keep` remain. Answered by `jobs_returned` if there are any.
struct take_back {
  size_t keep = 0;
};

/// Begin nothing more; give back everything that no child has begun, now and
/// later. Answered by `jobs_returned`, repeatedly.
struct quiet {};

/// After this time nothing more may begin, until another one is said: what waits
/// may be somebody else's then.
struct work_until {
  std::chrono::steady_clock::time_point time;
};

/// End the run of this job by killing its child.
struct kill_job {
  uint64_t job = 0;
};

/// These shall not run (they were revoked): what no child has begun is given
/// back with `jobs_returned`, now or when its child has given it up. What runs
/// goes on, unless `signal` says how to end its child. Where children cannot be
/// killed, such a run is asked to end instead, as by its soft time limit.
struct withdraw_jobs {
  std::vector<uint64_t> jobs;
  std::optional<int> signal;
};

// -- pool supervisor and autoscaler -------------------------------------------

/// From now on, tell this actor about the load.
struct attach_autoscaler {
  caf::actor autoscaler;
};

/// Children there are, children that run something, jobs that no child has.
struct pool_load {
  size_t size = 0;
  size_t busy = 0;
  size_t waiting = 0;

  friend bool operator==(const pool_load&, const pool_load&) = default;
};

/// Start children, or retire idle ones, until there are `size`. What works
/// beyond that retires when it is idle.
struct resize_pool {
  size_t size = 0;
  size_t max = 0; ///< as far as it may yet grow
};

// -- anybody and pool supervisor ----------------------------------------------

/// The most children that a pool may have, as for --concurrency.
constexpr size_t pool_size_max = 4096;

/// So many children more; negative: fewer, as `resize_pool`. Answered by
/// `pool_info`, or by `caf::sec::invalid_argument` if the pool would have none or
/// more than `pool_size_max`.
struct grow_pool {
  int64_t by = 0;
};

/// Answered by `pool_info`.
struct list_processes {};

/// Replace all children, each when it has ended what it runs. A request, answered
/// with `pool_info`.
struct replace_children {};

struct pool_info {
  size_t size = 0;
  std::vector<int64_t> processes; ///< of the children
  /// Process by job, of those that run now.
  std::unordered_map<uint64_t, int64_t> running;
  size_t restarts = 0;
  std::vector<size_t> finished = {}; ///< tasks that each process has done
};

// -- anybody and autoscaler ---------------------------------------------------

/// Move the bounds; an empty one stays. Answered by `autoscale_info`, or by
/// `caf::sec::invalid_argument` if they make no sense.
struct set_autoscale {
  std::optional<size_t> max;
  std::optional<size_t> min;
};

/// As Celery's `stats` shows it.
struct autoscale_info {
  size_t max = 0;
  size_t min = 0;
  size_t current = 0; ///< children
  size_t qty = 0;     ///< jobs, running and waiting

  friend bool operator==(const autoscale_info&, const autoscale_info&) = default;
};

// -- pool supervisor to consumer ----------------------------------------------

/// The first child is ready; these tasks can be run.
struct pool_ready {
  std::vector<task_options> tasks;
};

/// The pool has another size: fetch for so many children.
struct pool_capacity {
  size_t children = 0;
};

/// What happened since the last report.
struct pool_report {
  std::vector<outcome> outcomes;
  std::vector<uint64_t> started; ///< begun and not finished in this report
};

struct job_state {
  uint64_t job = 0;
  std::string document;
};

/// An event of the task's own.
struct job_event {
  uint64_t job = 0;
  std::string type;
  std::string fields; ///< a JSON object
};

struct jobs_returned {
  std::vector<uint64_t> jobs;
};

/// A run is over one of its time limits. If it is the hard one, its child is
/// being killed, and `job_lost` follows; where children cannot be killed, the
/// run is asked to end, as it is at the soft limit.
struct time_limit_over {
  uint64_t job = 0;
  bool hard = false;
  std::chrono::milliseconds limit{0};
};

/// A child died while it ran this job.
struct job_lost {
  uint64_t job = 0;
  std::string how; ///< "signal 9 (SIGKILL)"
};

// -- pool supervisor to child worker ------------------------------------------

/// More jobs for this child, after those it has.
struct child_jobs {
  std::vector<job> jobs;
};

/// Give back what has not been begun.
struct child_recall {};

/// Finish the current job and end.
struct child_stop {};

/// Ask this run to end: its soft time limit is over.
struct child_interrupt {
  uint64_t job = 0;
};

/// Send the child this signal. Only where children can be killed; one that is
/// no process ends as by `child_kill`.
struct child_signal {
  int number = 0;
};

/// End now.
struct child_kill {
  std::string why; ///< for the reports of its end, if there is something to say
};

/// Answer with `child_memory`.
struct child_sample {};

/// What came of a call that the child's task has made.
struct child_result {
  uint64_t call = 0; ///< the child's number
  std::optional<errc> failure;
  std::string text; ///< the document, or what the failure is
};

/// The answer to what the child's task has asked.
struct child_answer {
  uint64_t question = 0; ///< the child's number
  expected<std::vector<std::string>> texts = {};
};

// -- child worker to pool supervisor ------------------------------------------

struct child_hello {
  uint64_t child = 0;
  std::vector<task_options> tasks; ///< none if it leaves them to another
  int64_t process = 0;             ///< 0: it lives in this one
};

/// The child cannot load the task libraries.
struct child_failed {
  uint64_t child = 0;
  std::string reason;
};

struct child_outcomes {
  uint64_t child = 0;
  std::vector<outcome> outcomes;
  size_t memory = 0; ///< resident, KiB, if it is watched
};

struct child_memory {
  uint64_t child = 0;
  size_t memory = 0; ///< resident, KiB
};

struct child_state {
  uint64_t child = 0;
  uint64_t job = 0;
  std::string document;
};

struct child_event {
  uint64_t child = 0;
  uint64_t job = 0;
  std::string type;
  std::string fields; ///< a JSON object
};

struct child_returned {
  uint64_t child = 0;
  std::vector<uint64_t> jobs;
};

/// The child is gone; its last word.
struct child_exited {
  uint64_t child = 0;
  std::string how; ///< "exit status 0", "signal 9 (SIGKILL)"
  /// How many jobs it can have seen; none: all that it was given.
  std::optional<uint64_t> seen = {};
};

} // namespace umbel

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::attach_consumer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::run_jobs)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::replace_children)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::work_until)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::take_back)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::quiet)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::kill_job)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::withdraw_jobs)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::time_limit_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_interrupt)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_signal)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::attach_autoscaler)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::pool_load)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::resize_pool)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::grow_pool)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::list_processes)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::pool_info)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::set_autoscale)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::autoscale_info)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::pool_ready)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::pool_capacity)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::pool_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::job_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::job_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::jobs_returned)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::job_lost)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_jobs)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_recall)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_stop)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_kill)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_sample)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_result)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_hello)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_failed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_outcomes)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_memory)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_returned)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_exited)
