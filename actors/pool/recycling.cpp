#include "actors/pool/recycling.hpp"

#include <fmt/format.h>

namespace umbel {

std::string reason_to_recycle(const recycling_limits& limits,
                              const roster::child& x) {
  if (limits.max_tasks > 0 && x.finished >= limits.max_tasks)
    return fmt::format("ran {} tasks (worker_max_tasks_per_child is {})",
                       x.finished, limits.max_tasks);
  if (limits.max_memory > 0 && x.memory > limits.max_memory)
    return fmt::format("held {} KiB after {} tasks "
                       "(worker_max_memory_per_child is {})",
                       x.memory, x.finished, limits.max_memory);
  if (auto why = reason_to_kill(limits, x.memory); !why.empty())
    return fmt::format("{} after {} tasks", why, x.finished);
  return {};
}

bool will_be_recycled(const recycling_limits& limits, size_t memory) noexcept {
  return limits.max_memory > 0 && memory > limits.max_memory;
}

bool is_far_over(const recycling_limits& limits, size_t memory) noexcept {
  return limits.max_memory > 0
         && memory > limits.max_memory + limits.max_memory / 2;
}

std::string reason_to_kill(const recycling_limits& limits, size_t memory) {
  if (limits.hard_max_memory == 0 || memory <= limits.hard_max_memory)
    return {};
  return fmt::format("held {} KiB, more than worker_hard_max_memory_per_child "
                     "({} KiB)",
                     memory, limits.hard_max_memory);
}

} // namespace umbel
