// The log of a program: lines in Celery's form on standard error or in a file.
//
//   [2026-11-23 22:31:14,123: INFO/MainProcess] message
//
// The default logger of spdlog is set up once, before the first actor; its name
// is what %(processName)s shows. A clone of it with another name
// ("ForkPoolWorker-1") can speak for a child process.
#pragma once

#include "apps/log_file.hpp"
#include "protocol/error.hpp"

#include <spdlog/common.h>

#include <memory>
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

/// Where the log goes and how it looks.
struct log_options {
  spdlog::level::level_enum level = spdlog::level::warn;
  std::string python_format;
  bool color = false;  ///< on standard error
  std::string file;    ///< empty: standard error
  std::string program; ///< for `start_up_log`
};

/// Why a program cannot start appears on standard error even if there is a log
/// file, as a line of the program: "umbel worker: cannot ...".
class start_up_log;

/// The log of a program, once it is set up.
struct program_log {
  std::shared_ptr<log_file> file; ///< null: standard error
  std::shared_ptr<start_up_log> start_up;

  /// Ends the time in which that goes to standard error. From any thread.
  void started();
};

/// Replaces the default logger.
/// @returns `invalid_setting` for the format, `unavailable` for the file
expected<program_log> set_up_logging(const log_options& options);

} // namespace umbel
