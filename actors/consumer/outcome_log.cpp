#include "actors/consumer/outcome_log.hpp"

#include <spdlog/spdlog.h>

#include <chrono>

namespace umbel {

void log_outcome(const request& r, const outcome& x) {
  using seconds = std::chrono::duration<double>;
  auto took = seconds{x.runtime}.count();
  switch (x.kind) {
    case outcome_kind::success:
      if (!spdlog::should_log(spdlog::level::info)) // nor is the name made
        break;
      spdlog::info("Task {} succeeded in {:.6f}s: {}", r.display_name(), took,
                   x.summary);
      break;
    case outcome_kind::failure:
      if (x.expected) {
        spdlog::info("Task {} raised expected: {}", r.display_name(), x.summary);
        break;
      }
      spdlog::error("Task {} raised unexpected: {}\n{}", r.display_name(),
                    x.summary, x.traceback);
      break;
    case outcome_kind::retry:
      spdlog::info("Task {} retry: {}", r.display_name(), x.summary);
      break;
    case outcome_kind::ignore:
      spdlog::info("Task {} ignored", r.display_name());
      break;
    case outcome_kind::reject:
    case outcome_kind::requeue:
      spdlog::info("Task {} rejected: {}", r.display_name(), x.summary);
      break;
    case outcome_kind::revoked:
      spdlog::info("Discarding revoked task: {}", r.display_name());
      break;
    case outcome_kind::malformed:
      spdlog::error("Task {} refused: {}", r.display_name(), x.summary);
      break;
  }
}

} // namespace umbel
