#include "apps/client/queue_command.hpp"

#include "apps/configure.hpp"
#include "apps/exit_status.hpp"
#include "apps/purge.hpp"
#include "apps/remote/remote_session.hpp"
#include "protocol/message/task_message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include <unistd.h>

namespace umbel::client {

namespace {

// Messages that are under way at once: what is lost of them if this is killed
// comes back to the source.
constexpr size_t batch_max = 100;

std::vector<queue_name> queues_of(const std::vector<std::string>& given,
                                  const settings& from) {
  std::vector<queue_name> to;
  auto add = [&](const std::string& name) {
    if (std::ranges::find(to, queue_name{name}) == to.end())
      to.emplace_back(name);
  };
  for (auto& name : given)
    add(name);
  if (to.empty())
    for (auto& queue : from.task_queues)
      add(queue.name);
  if (to.empty())
    add(from.task_default_queue);
  return to;
}

expected<std::unique_ptr<broker>> open(const std::string& url,
                                       const settings& from,
                                       std::vector<queue_name> queues) {
  auto options = to_broker_options(from);
  options.incarnation = make_uuid();
  options.node = node_name{"migrate@" + options.incarnation};
  options.queues = std::move(queues);
  options.prefetch = batch_max;
  return connect_broker(url, options);
}

const char* plural(size_t n) {
  return n == 1 ? "" : "s";
}

/// Moves one batch. @returns how many messages it had
expected<size_t> move_batch(broker& from, broker& to, size_t max) {
  auto taken = from.reserve(max);
  if (!taken)
    return taken.error();
  std::vector<outgoing_message> messages;
  std::vector<settlement> settlements;
  for (auto& x : *taken) {
    auto header = read_task_header(x.payload);
    messages.push_back({x.queue, header ? header->priority : 0, x.payload});
    settlement done;
    done.tag = x.tag;
    done.queue = x.queue;
    settlements.push_back(std::move(done));
  }
  if (auto done = to.publish(messages); !done) {
    if (done.error().code != errc::refused)
      return done.error();
    // A unique task is there already; the others were sent.
    std::fprintf(stderr, "%s\n", done.error().what.c_str());
  }
  if (auto done = from.settle(settlements); !done)
    return done.error();
  return taken->size();
}

} // namespace

int purge(const std::string& name, const options& given,
          const std::vector<std::string>& names, bool force) {
  auto loaded = read_settings(name, given, warnings_of_settings::show);
  if (!loaded)
    return refuse(name, loaded.error());
  worker_config config;
  config.broker = to_broker_options(*loaded);
  config.broker.incarnation = make_uuid();
  config.broker.node = node_name{"purge@" + config.broker.incarnation};
  config.broker.queues = queues_of(names, *loaded);
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

int migrate(const std::string& name, const options& given,
            const std::string& source, const std::string& destination,
            const std::vector<std::string>& names, size_t limit) {
  auto loaded = read_settings(name, given, warnings_of_settings::show);
  if (!loaded)
    return refuse(name, loaded.error());
  auto queues = queues_of(names, *loaded);
  auto from = open(source, *loaded, queues);
  if (!from)
    return refuse(name, from.error());
  auto to = open(destination, *loaded, {});
  if (!to)
    return refuse(name, to.error());
  if (auto done = (*to)->declare(queues); !done)
    return refuse(name, done.error());
  if (auto done = (*from)->renew({}); !done)
    return refuse(name, done.error());
  size_t moved = 0;
  while (limit == 0 || moved < limit) {
    auto max = limit == 0 ? batch_max : std::min(batch_max, limit - moved);
    auto n = move_batch(**from, **to, max);
    if (!n)
      return refuse(name, n.error());
    moved += *n;
    if (*n > 0)
      continue;
    // Some brokers send messages unasked: they may be on their way.
    size_t waiting = 0;
    for (auto& queue : queues)
      if (auto size = (*from)->size(queue))
        waiting += *size;
    if (waiting == 0)
      break;
    if (auto done = (*from)->wait(std::chrono::milliseconds{1'000}); !done)
      return refuse(name, done.error());
  }
  if (auto done = (*from)->release(); !done)
    return refuse(name, done.error());
  std::printf("%zu message%s moved to %s\n", moved, plural(moved),
              (*to)->location().c_str());
  return exit_ok;
}

} // namespace umbel::client
