// The log of a program: lines in Celery's form on standard error.
//
//   [2026-11-23 22:31:14,123: INFO/MainProcess] message
//
// The default logger of spdlog is set up once, before the first actor; its name
// is what %(processName)s shows. A clone of it with another name
// ("ForkPoolWorker-1") can speak for a child process.
#pragma once

#include "protocol/error.hpp"

#include <spdlog/common.h>

#include <optional>
#include <string>

namespace umbel {

/// DEBUG, INFO, WARNING, ERROR, CRITICAL or FATAL, in any case.
std::optional<spdlog::level::level_enum> log_level(const std::string& name);

/// "DEBUG, INFO, ..." for help and errors.
constexpr const char* log_levels = "DEBUG, INFO, WARNING, ERROR, CRITICAL, "
                                   "FATAL";

/// Translates a format of Python's logging, `%(levelname)s: %(message)s`, to a
/// pattern of spdlog. @returns `invalid_setting` for a field that is not there.
expected<std::string> log_pattern(const std::string& python_format);

/// Whether `fd` shows colours: a terminal, unless NO_COLOR is set.
bool shows_colors(int fd);

/// Replaces the default logger.
expected<void> set_up_logging(spdlog::level::level_enum level,
                              const std::string& python_format, bool color);

} // namespace umbel
