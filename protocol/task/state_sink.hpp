// Where a running task's intermediate states, events and log lines go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace umbel {

/// Called by the thread that runs the task, and by threads of the task's own.
class state_sink {
public:
  virtual ~state_sink() = default;

  /// Store this document: STARTED, or a state of the task's own.
  virtual void state(uint64_t job, std::string document) = 0;

  /// Tell whoever listens to events. Where there is nobody to tell, it is nothing.
  /// @param fields a JSON object
  virtual void event(uint64_t /*job*/, std::string /*type*/,
                     std::string /*fields*/) {
  }

  /// @param level spdlog's: 0 trace .. 5 critical
  virtual void log(uint64_t job, uint8_t level, std::string_view text) = 0;
};

} // namespace umbel
