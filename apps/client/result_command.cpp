#include "apps/client/result_command.hpp"

#include "apps/configure.hpp"
#include "apps/exit_status.hpp"
#include "apps/remote/remote_session.hpp"
#include "apps/version.hpp"
#include "protocol/backend/document.hpp"
#include "protocol/client/result_hub.hpp"
#include "protocol/client/shown_settings.hpp"

#include <fmt/format.h>

#include <cstdio>

#include <sys/utsname.h>

namespace umbel::client {

int show_result(const std::string& name, const options& given,
                const std::string& id, bool traceback, bool wait,
                std::optional<std::chrono::milliseconds> timeout) {
  if (id.empty())
    return refuse(name, "of which task? " + name + " TASK_ID", exit_usage);
  auto loaded = read_settings(name, given, warnings_of_settings::show);
  if (!loaded)
    return refuse(name, loaded.error());
  result_hub results{result_opener(loaded->result_backend,
                                   to_broker_options(*loaded).results),
                     loaded->result_serializer};
  task_id task{id};
  if (wait) {
    auto ended = results.wait({&task, 1}, {}, timeout);
    if (!ended)
      return refuse(name, ended.error());
    if (!*ended)
      return refuse(name, "task " + id + " has not ended within the timeout",
                    exit_timeout);
  }
  auto found = results.look(task);
  if (!found)
    return refuse(name, found.error());
  if (!*found)
    return refuse(name, "nothing is known of task " + id, exit_failure);
  auto& x = **found;
  if (x.succeeded()) {
    std::printf("%s\n", to_json(x.result).c_str());
    return exit_ok;
  }
  if (!x.ended())
    return refuse(name, "task " + id + " is " + x.status, exit_failure);
  if (traceback && !x.traceback.empty())
    std::fprintf(stderr, "%s\n", x.traceback.c_str());
  return refuse(name,
                "task " + id
                  + (x.status == "REVOKED" ? " was revoked: " : " failed: ")
                  + x.reason(),
                exit_failure);
}

int report(const std::string& name, const options& given) {
  auto loaded = read_settings(name, given, warnings_of_settings::show);
  if (!loaded)
    return refuse(name, loaded.error());
  utsname system{};
  ::uname(&system);
  std::printf("software -> umbel:%s\nplatform -> system:%s release:%s "
              "machine:%s\n\n",
              std::string{version}.c_str(), system.sysname, system.release,
              system.machine);
  for (auto& [key, value] : shown_settings(*loaded, false))
    std::printf("%s: %s\n", std::string{key}.c_str(), to_json(value).c_str());
  return exit_ok;
}

} // namespace umbel::client
