// What tasks that run inside of the worker's process say while they run.
#pragma once

#include "actors/pool/messages.hpp"
#include "protocol/task/state_sink.hpp"

#include <caf/actor.hpp>

namespace umbel {

/// Sends it to the pool supervisor and to the log.
class pool_sink final : public state_sink {
public:
  pool_sink(caf::actor pool, uint64_t child);

  void state(uint64_t job, std::string document) override;
  void event(uint64_t job, std::string type, std::string fields) override;
  void log(uint64_t job, uint8_t level, std::string_view text) override;

private:
  caf::actor pool_;
  uint64_t child_;
};

/// What the libraries of this process have to be blamed for.
void log_complaint(const std::string& line);

} // namespace umbel
