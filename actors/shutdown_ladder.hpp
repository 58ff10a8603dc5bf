// What signals make of a worker: a value without clocks or actors.
//
// Each SIGINT climbs one step, SIGQUIT begins at the cold one, SIGTERM climbs
// to the first step only and is otherwise ignored: process managers repeat it.
//
//     running --> warm --> cold --> cancelled --> at_once
//
// SIGHUP is a warm shutdown after which the program runs again, until another
// signal wants more. With REMAP_SIGTERM=SIGQUIT, SIGTERM climbs to the cold
// step.
#pragma once

#include <cstdint>
#include <optional>

namespace umbel {

class shutdown_ladder {
public:
  // -- member types -------------------------------------------------------------

  enum class step : uint8_t {
    running,
    warm,      ///< finish what runs
    cold,      ///< give up what runs, after worker_soft_shutdown_timeout
    cancelled, ///< give it up now
    at_once,   ///< wait for nothing, not even for the broker
  };

  struct rules {
    bool term_is_quit = false; ///< REMAP_SIGTERM=SIGQUIT
    bool hangup_restarts = true; ///< else SIGHUP is SIGTERM: the terminal went
  };

  // -- constructors, destructors, and assignment operators --------------------

  explicit shutdown_ladder(rules x) noexcept : rules_(x) {
  }

  // -- climbing -----------------------------------------------------------------

  /// @param signal SIGTERM, SIGINT, SIGQUIT or SIGHUP
  /// @returns the step that is reached, if it or what follows it is a new one
  std::optional<step> climb(int signal) noexcept;

  // -- where it stands ----------------------------------------------------------

  step now() const noexcept {
    return now_;
  }

  /// Whether the program is to run again after a shutdown.
  bool restarts() const noexcept {
    return restarts_;
  }

  /// Celery's: 0 after SIGTERM, 1 after SIGINT and SIGQUIT.
  int exit_status() const noexcept {
    return exit_status_;
  }

private:
  rules rules_;
  step now_ = step::running;
  bool restarts_ = false;
  int exit_status_ = 0;
};

} // namespace umbel
