// The periodic tasks of task libraries (app.add_periodic_task), which a process of
// their own is asked for: no library is ever loaded into a beat.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace umbel {

/// Arguments of one entry, or why there are none.
using computed_arguments = expected<std::pair<json::array, json::object>>;

class periodic_tasks {
public:
  /// No libraries.
  periodic_tasks() = default;

  /// @param program of child processes
  periodic_tasks(std::string program, std::vector<std::string> libraries);

  /// Loads the libraries in a child and asks for their entries.
  /// @returns `invalid_setting`, `unavailable`
  expected<void> load();

  /// As in the setting beat_schedule.
  const json::object& entries() const noexcept {
    return entries_;
  }

  /// Whether this entry's arguments are computed when it is sent.
  bool is_lazy(const std::string& entry) const;

  /// Computes them now, in one process for all. Takes at most ten seconds.
  std::map<std::string, computed_arguments>
  arguments(const std::vector<std::string>& entries) const;

private:
  expected<json::object> ask(const std::vector<std::string>& names) const;

  std::string program_;
  std::vector<std::string> libraries_;
  json::object entries_;
  std::vector<std::string> lazy_;
};

} // namespace umbel
