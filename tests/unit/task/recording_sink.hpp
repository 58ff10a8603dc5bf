// Keeps what tasks send while they run.
#pragma once

#include "protocol/task/state_sink.hpp"

#include <string>
#include <utility>
#include <vector>

namespace umbel {

struct recording_sink : state_sink {
  void state(uint64_t job, std::string document) override {
    states.emplace_back(job, std::move(document));
  }

  void log(uint64_t, uint8_t level, std::string_view text) override {
    lines.push_back(std::to_string(level) + " " + std::string{text});
  }

  std::vector<std::pair<uint64_t, std::string>> states;
  std::vector<std::string> lines;
};

} // namespace umbel
