#include "apps/remote/remote_session.hpp"

#include "apps/configure.hpp"
#include "apps/exit_status.hpp"
#include "protocol/client/broadcast_settings.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <unistd.h>

namespace umbel {

int refuse(const std::string& name, const std::string& what, int status) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), what.c_str());
  return status;
}

int status_of(const error& x) {
  switch (x.code) {
    case errc::unavailable:
    case errc::timeout:
    case errc::refused:
      return exit_unavailable;
    case errc::invalid_setting:
    case errc::unsupported:
      return exit_usage;
    default:
      return exit_failure;
  }
}

int refuse(const std::string& name, const error& x) {
  return refuse(name, x.what, status_of(x));
}

expected<settings> read_settings(const std::string& name,
                                 const options& given,
                                 warnings_of_settings what) {
  if (!given.workdir.empty() && chdir(given.workdir.c_str()) != 0)
    return error{errc::invalid_setting,
                 "option --workdir: cannot change to '" + given.workdir
                   + "': " + std::strerror(errno)};
  std::vector<std::string> warnings;
  auto result = configure_settings(given, current_environment(), warnings);
  if (what == warnings_of_settings::show)
    for (auto& line : warnings)
      refuse(name, line, exit_ok);
  return result;
}

control_client_options to_control_client_options(const settings& from) {
  control_client_options result;
  result.broker_url = from.broker_url;
  result.broker = to_broker_options(from);
  result.broadcasts = to_broadcast_options(from);
  result.form = {from.task_serializer, compression::none};
  result.rules = {from.accept_content, from.task_body_max};
  return result;
}

} // namespace umbel
