#include "apps/client/queue_command.hpp"

#include "apps/configure.hpp"
#include "apps/consumed_queues.hpp"
#include "apps/exit_status.hpp"
#include "apps/purge.hpp"
#include "apps/remote/remote_session.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <unistd.h>

namespace umbel::client {

int purge(const std::string& name, const options& given,
          const std::vector<std::string>& names,
          const std::vector<std::string>& excluded, bool force) {
  auto loaded = read_settings(name, given, warnings_of_settings::show);
  if (!loaded)
    return refuse(name, loaded.error());
  worker_config config;
  config.broker = to_broker_options(*loaded);
  config.broker.incarnation = make_uuid();
  config.broker.node = node_name{"purge@" + config.broker.incarnation};
  config.broker.queues = chosen_queues(names, *loaded);
  for (auto& queue : excluded)
    if (std::erase(config.broker.queues, queue_name{queue}) == 0)
      return refuse(name,
                    "option --exclude-queues: '" + queue
                      + "' is not among the queues",
                    exit_usage);
  if (config.broker.queues.empty())
    return refuse(name, "option --exclude-queues: no queue is left to purge",
                  exit_usage);
  config.settings = std::move(*loaded);
  if (!force && ::isatty(STDIN_FILENO) == 0)
    return refuse(name, "there is no terminal to ask on; add --force to "
                        "delete without asking",
                  exit_usage);
  if (!force) {
    auto confirmed = confirm_purge(config, name);
    if (!confirmed)
      return refuse(name, confirmed.error());
    if (!*confirmed)
      return exit_failure;
  }
  auto done = umbel::purge(config);
  if (!done)
    return refuse(name, done.error());
  std::printf("%s\n", done->c_str());
  return exit_ok;
}

} // namespace umbel::client
