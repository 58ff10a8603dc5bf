// Exit statuses of the programs, as Celery's.
#pragma once

namespace umbel {

enum exit_status : int {
  exit_ok = 0,
  exit_failure = 1,         ///< it was right, and did not work
  exit_usage = 2,           ///< options, environment or settings are wrong
  exit_unavailable = 69,    ///< broker or result store cannot be reached
  exit_cannot_create = 73,  ///< the pidfile belongs to a living process
  exit_timeout = 75,        ///< the time to wait for a result is over
};

} // namespace umbel
