// `umbel migrate`: moves what waits in queues from one broker to another.
#pragma once

#include "apps/options.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace umbel::client {

struct migrate_options {
  std::string source;
  std::string destination;
  std::vector<std::string> queues = {}; ///< empty: those of the settings
  std::vector<std::string> tasks = {};  ///< empty: all
  size_t limit = 0;                     ///< 0: none
  /// It is over when nothing has come for so long.
  std::chrono::milliseconds timeout{1'000};
  bool forever = false; ///< until SIGINT or SIGTERM
  bool copy = false;    ///< they stay in the source, too
};

/// @param name how to call this command in messages
/// @returns the exit status
int migrate(const std::string& name, const options& given,
            const migrate_options& how);

} // namespace umbel::client
