#include "apps/daemon/image.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

namespace umbel {

namespace {

/// "<pid> <how> <descriptor>".
constexpr const char* handover = "UMBEL_HANDOVER";

} // namespace

image take_image() {
  auto text = std::getenv(handover);
  int pid = 0;
  char how = 0;
  int report = -1;
  auto read = text != nullptr ? std::sscanf(text, "%d %c %d", &pid, &how,
                                            &report)
                              : 0;
  unsetenv(handover);
  if (read != 3 || pid != getpid())
    return {};
  if (how == 'r')
    return {image::begin::restarted, -1};
  if (how != 'd' || fcntl(report, F_SETFD, FD_CLOEXEC) != 0)
    return {};
  return {image::begin::detached, report};
}

std::string own_program(const std::string& argv0) {
  std::error_code failed;
  if (argv0.find('/') != argv0.npos) {
    auto path = std::filesystem::absolute(argv0, failed);
    return failed ? argv0 : path.string();
  }
  auto variable = std::getenv("PATH");
  std::istringstream folders{variable != nullptr ? variable : ""};
  for (std::string folder; std::getline(folders, folder, ':');) {
    auto path = std::filesystem::absolute(folder, failed) / argv0;
    if (!failed && access(path.c_str(), X_OK) == 0)
      return path.string();
  }
  return argv0;
}

error execute(const std::string& program, const std::vector<std::string>& args,
              const image& next) {
  auto how = next.how == image::begin::restarted ? 'r' : 'd';
  auto text = std::to_string(getpid()) + ' ' + how + ' '
              + std::to_string(next.report);
  setenv(handover, text.c_str(), 1);
  if (next.report >= 0)
    fcntl(next.report, F_SETFD, 0);
  std::vector<char*> argv;
  for (auto& arg : args)
    argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  std::fflush(nullptr);
  execvp(program.c_str(), argv.data());
  error result{errc::unavailable,
               "cannot execute " + program + ": " + std::strerror(errno)};
  unsetenv(handover);
  return result;
}

} // namespace umbel
