#include "actors/pool/pool_sink.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>

namespace umbel {

pool_sink::pool_sink(caf::actor pool, uint64_t child)
  : pool_(std::move(pool)), child_(child) {
}

void pool_sink::state(uint64_t job, std::string document) {
  caf::anon_send(pool_, child_state{child_, job, std::move(document)});
}

void pool_sink::event(uint64_t job, std::string type, std::string fields) {
  caf::anon_send(pool_, child_event{child_, job, std::move(type),
                                    std::move(fields)});
}

void pool_sink::log(uint64_t, uint8_t level, std::string_view text) {
  spdlog::log(static_cast<spdlog::level::level_enum>(
                std::min<int>(level, spdlog::level::critical)),
              "{}", text);
}

void log_complaint(const std::string& line) {
  spdlog::error("{}", line);
}

} // namespace umbel
