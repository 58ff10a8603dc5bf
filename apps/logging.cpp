#include "apps/logging.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace umbel {

namespace {

/// The flag of spdlog's patterns that stands for a level's name.
constexpr char level_flag = '*';

/// Names of levels as Python's logging has them.
class level_formatter : public spdlog::custom_flag_formatter {
public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    static constexpr std::string_view names[] = {
        "DEBUG", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "",
    };
    auto name = names[message.level];
    auto missing = padinfo_.width_ - std::min(padinfo_.width_, name.size());
    auto left = padinfo_.side_ == spdlog::details::padding_info::pad_side::left
                    ? missing
                    : 0;
    for (size_t i = 0; i < left; ++i)
      out.push_back(' ');
    out.append(name.data(), name.data() + name.size());
    for (size_t i = left; i < missing; ++i)
      out.push_back(' ');
  }

  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<level_formatter>();
  }
};

struct field {
  std::string_view name;
  std::string_view pattern; ///< after the '%' and the padding
};

constexpr field fields[] = {
    {"asctime", "Y-%m-%d %H:%M:%S,%e"},
    {"levelname", "*"},
    {"message", "v"},
    {"process", "P"},
    {"processName", "n"},
    {"thread", "t"},
    {"threadName", "t"},
};

spdlog::sink_ptr standard_error(bool color) {
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(
      color ? spdlog::color_mode::always : spdlog::color_mode::never);
  sink->set_color(spdlog::level::debug, sink->blue);
  sink->set_color(spdlog::level::info, "");
  sink->set_color(spdlog::level::warn, sink->yellow);
  sink->set_color(spdlog::level::err, sink->red);
  sink->set_color(spdlog::level::critical, sink->magenta);
  return sink;
}

} // namespace

std::optional<spdlog::level::level_enum> log_level(const std::string& name) {
  std::string upper{name};
  for (auto& c : upper)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (upper == "DEBUG")
    return spdlog::level::debug;
  if (upper == "INFO")
    return spdlog::level::info;
  if (upper == "WARNING" || upper == "WARN")
    return spdlog::level::warn;
  if (upper == "ERROR")
    return spdlog::level::err;
  if (upper == "CRITICAL" || upper == "FATAL")
    return spdlog::level::critical;
  return std::nullopt;
}

expected<std::string> log_pattern(const std::string& python_format) {
  std::string result;
  auto invalid = [](const std::string& found) {
    std::string names;
    for (auto& x : fields)
      names += (names.empty() ? "%(" : ", %(") + std::string{x.name} + ")s";
    return error{errc::invalid_setting, "setting 'worker_log_format' has '"
                                            + found + "'; known fields are "
                                            + names};
  };
  for (size_t i = 0; i < python_format.size(); ++i) {
    if (python_format[i] != '%') {
      result += python_format[i];
      continue;
    }
    auto rest = python_format.substr(i);
    if (rest.starts_with("%%")) {
      result += "%%";
      ++i;
      continue;
    }
    auto close = rest.find(')');
    if (!rest.starts_with("%(") || close == rest.npos)
      return invalid(rest.substr(0, 2));
    auto name = std::string_view{rest}.substr(2, close - 2);
    auto end = rest.find_first_not_of("-0123456789", close + 1);
    if (end == rest.npos || (rest[end] != 's' && rest[end] != 'd'))
      return invalid(rest.substr(0, close + 1));
    auto padding = rest.substr(close + 1, end - close - 1);
    auto known = std::ranges::find(fields, name, &field::name);
    if (known == std::end(fields))
      return invalid(rest.substr(0, end + 1));
    if (name == "asctime")
      padding.clear(); // spdlog would pad the year
    auto flag = '%' + padding + std::string{known->pattern};
    // Celery colours the message, not the line.
    result += name == "message" ? "%^" + flag + "%$" : flag;
    i += end;
  }
  return result;
}

bool shows_colors(int fd) {
  auto set = [](const char* name) {
    auto value = std::getenv(name);
    return value != nullptr && *value != '\0';
  };
  auto terminal = std::getenv("TERM");
  return isatty(fd) == 1 && !set("NO_COLOR") && !set("CELERY_NO_COLOR")
         && !(terminal != nullptr && std::string_view{terminal} == "dumb");
}

class start_up_log : public spdlog::sinks::base_sink<std::mutex> {
public:
  /// Keeps standard error for itself: a log file may take its place.
  explicit start_up_log(std::string program)
      : program_(std::move(program)),
        fd_(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    set_level(spdlog::level::critical);
  }

  ~start_up_log() override {
    close(fd_);
  }

protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    dprintf(fd_, "%s: %.*s\n", program_.c_str(),
            static_cast<int>(message.payload.size()), message.payload.data());
  }

  void flush_() override {
  }

private:
  const std::string program_;
  const int fd_;
};

void program_log::started() {
  if (start_up)
    start_up->set_level(spdlog::level::off);
}

expected<program_log> set_up_logging(const log_options& options) {
  auto pattern = log_pattern(options.python_format);
  if (!pattern)
    return pattern.error();
  program_log result;
  std::vector<spdlog::sink_ptr> sinks;
  if (options.file.empty()) {
    sinks.push_back(standard_error(options.color));
  } else {
    auto file = log_file::open(options.file);
    if (!file)
      return file.error();
    result.file = *file;
    result.start_up = std::make_shared<start_up_log>(options.program);
    sinks = {result.file, result.start_up};
  }
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<level_formatter>(level_flag);
  formatter->set_pattern(*pattern);
  auto logger = std::make_shared<spdlog::logger>("MainProcess", sinks.begin(),
                                                 sinks.end());
  logger->set_formatter(std::move(formatter));
  logger->set_level(options.level);
  spdlog::set_default_logger(std::move(logger));
  return result;
}

} // namespace umbel
