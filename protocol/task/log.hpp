// Log lines of tasks: they appear in the worker's log.
//
//   umbel::log_info("sent {} mails", count);
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string_view>
#include <utility>

namespace umbel {

/// Sends one line to the worker's log, or to standard error outside of a task.
/// @param level spdlog's: 0 trace .. 5 critical
void log_text(uint8_t level, std::string_view text);

template <class... Ts>
void log_debug(fmt::format_string<Ts...> format, Ts&&... xs) {
  log_text(1, fmt::format(format, std::forward<Ts>(xs)...));
}

template <class... Ts>
void log_info(fmt::format_string<Ts...> format, Ts&&... xs) {
  log_text(2, fmt::format(format, std::forward<Ts>(xs)...));
}

template <class... Ts>
void log_warning(fmt::format_string<Ts...> format, Ts&&... xs) {
  log_text(3, fmt::format(format, std::forward<Ts>(xs)...));
}

template <class... Ts>
void log_error(fmt::format_string<Ts...> format, Ts&&... xs) {
  log_text(4, fmt::format(format, std::forward<Ts>(xs)...));
}

} // namespace umbel
