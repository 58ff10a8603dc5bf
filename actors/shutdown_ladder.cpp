#include "actors/shutdown_ladder.hpp"

#include <algorithm>
#include <csignal>

namespace umbel {

std::optional<shutdown_ladder::step>
shutdown_ladder::climb(int signal) noexcept {
  auto above = [this](step least) {
    auto next = static_cast<step>(static_cast<uint8_t>(now_) + 1);
    return std::max(least, std::min(next, step::at_once));
  };
  auto to = now_;
  auto restarted = restarts_;
  if (signal == SIGHUP && rules_.hangup_restarts) {
    // Whoever has told it to stop is not overruled.
    restarts_ = restarts_ || now_ == step::running;
    to = std::max(now_, step::warm);
  } else if (signal == SIGTERM || signal == SIGHUP) {
    restarts_ = false;
    auto quits = signal == SIGTERM && rules_.term_is_quit;
    to = std::max(now_, quits ? step::cold : step::warm);
    if (quits)
      exit_status_ = 1;
  } else {
    restarts_ = false;
    to = above(signal == SIGQUIT ? step::cold : step::warm);
    exit_status_ = 1;
  }
  if (to == now_ && restarts_ == restarted)
    return std::nullopt;
  now_ = to;
  return to;
}

} // namespace umbel
