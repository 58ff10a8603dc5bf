// How the worker's process is to run, beside what it does.
#pragma once

#include "apps/daemon/identity.hpp"

#include <optional>
#include <string>

namespace umbel {

struct process_config {
  bool detach = false;
  std::string logfile;    ///< expanded; empty: standard error
  std::string pidfile;    ///< expanded; empty: none
  std::string executable; ///< empty: this program
  identity become;
  std::optional<mode_t> umask;
  bool purge = false;
};

} // namespace umbel
