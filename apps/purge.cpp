#include "apps/purge.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <iostream>

namespace umbel {

namespace {

struct tally {
  size_t messages = 0;
  std::string queues; ///< "celery: 10, mail: 2"

  std::string str() const {
    return fmt::format("{} message{} ({})", messages, messages == 1 ? "" : "s",
                       queues);
  }
};

/// Calls `f` for each queue of the worker and adds up what it returns.
expected<tally>
for_each_queue(const worker_config& config,
               const std::function<expected<size_t>(broker&,
                                                    const queue_name&)>& f) {
  auto connection = connect_broker(config.settings.broker_url, config.broker);
  if (!connection)
    return connection.error();
  tally result;
  for (auto& queue : config.broker.queues) {
    auto n = f(**connection, queue);
    if (!n)
      return n.error();
    result.messages += *n;
    result.queues += fmt::format("{}{}: {}", result.queues.empty() ? "" : ", ",
                                 queue.str(), *n);
  }
  return result;
}

} // namespace

expected<bool> confirm_purge(const worker_config& config,
                             const std::string& name) {
  auto waiting = for_each_queue(config, [](broker& x, const queue_name& queue) {
    return x.size(queue);
  });
  if (!waiting)
    return waiting.error();
  if (waiting->messages == 0)
    return true;
  std::fprintf(stderr,
               "%s deletes %s for good.\nDelete them? [y/N] ",
               name.c_str(), waiting->str().c_str());
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes" || answer == "Yes";
}

expected<std::string> purge(const worker_config& config) {
  auto deleted = for_each_queue(config, [](broker& x, const queue_name& queue) {
    return x.purge(queue);
  });
  if (!deleted)
    return deleted.error();
  return "purge: deleted " + deleted->str();
}

} // namespace umbel
