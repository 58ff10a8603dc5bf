// When a child has worked enough: the limits of --max-tasks-per-child,
// --max-memory-per-child and --hard-max-memory-per-child. Pure functions.
//
// Memory is what is resident now, never a peak: a task that needs much and
// gives it back does not cost the child its life. Therefore the soft limit is
// judged when a job has ended; passing it in the middle of a job only has the
// successor started early. The hard limit is judged while a job runs.
#pragma once

#include "actors/pool/roster.hpp"

#include <cstddef>
#include <string>

namespace umbel {

/// 0: no limit.
struct recycling_limits {
  size_t max_tasks = 0;       ///< worker_max_tasks_per_child
  size_t max_memory = 0;      ///< worker_max_memory_per_child, KiB
  size_t hard_max_memory = 0; ///< worker_hard_max_memory_per_child, KiB

  bool watches_memory() const noexcept {
    return max_memory > 0 || hard_max_memory > 0;
  }
};

/// Why a child that has just finished a job should be replaced, in words for
/// the log; empty if it should not.
std::string reason_to_recycle(const recycling_limits& limits,
                              const roster::child& x);

/// Whether a child that holds this much in the middle of a job will probably
/// be replaced after it.
bool will_be_recycled(const recycling_limits& limits, size_t memory) noexcept;

/// Whether a child that is due to be replaced holds so much that it gets no job more
/// while its successor starts, however long that takes: half more than the soft limit.
bool is_far_over(const recycling_limits& limits, size_t memory) noexcept;

/// Why a child that holds this much must be killed; empty if it need not.
std::string reason_to_kill(const recycling_limits& limits, size_t memory);

} // namespace umbel
