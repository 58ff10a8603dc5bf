// A log file that logrotate may move away.
//
// Before each line it looks whether its path still names the same file, and
// opens a new one if not (Celery does the same, so its logrotate rules fit: no
// signal, no copytruncate). One write for each line, at the end of the file, so
// that several processes can share it.
#pragma once

#include "protocol/error.hpp"

#include <spdlog/sinks/base_sink.h>

#include <memory>
#include <mutex>
#include <string>

namespace umbel {

class log_file : public spdlog::sinks::base_sink<std::mutex> {
public:
  /// @returns `unavailable` when the file cannot be opened
  static expected<std::shared_ptr<log_file>> open(const std::string& path);

  ~log_file() override;

  /// From now on standard output and error go to this file, too.
  void take_standard_output();

protected:
  void sink_it_(const spdlog::details::log_msg& message) override;

  void flush_() override {
  }

private:
  log_file(std::string path, int fd);

  void reopen_if_moved();

  std::string path_; ///< absolute
  int fd_;
  bool takes_output_ = false;
};

} // namespace umbel
