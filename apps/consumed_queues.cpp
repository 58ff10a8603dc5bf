#include "apps/consumed_queues.hpp"

#include "protocol/broker/queue_binding.hpp"
#include "protocol/client/routing_settings.hpp"

#include <algorithm>

namespace umbel {

std::vector<queue_name> chosen_queues(const std::vector<std::string>& given,
                                      const settings& x) {
  std::vector<queue_name> result;
  auto add = [&](const std::string& name) {
    queue_name queue{name};
    if (std::ranges::find(result, queue) == result.end())
      result.push_back(std::move(queue));
  };
  for (auto& name : given)
    add(name);
  if (result.empty())
    for (auto& queue : x.task_queues)
      add(queue.name);
  if (result.empty())
    add(x.task_default_queue);
  return result;
}

namespace {

/// What RabbitMQ is to make a node's own queue of a fanout exchange with. When the
/// node has been away for so long, the queue is gone.
std::string arguments_of_own(const std::string& arguments) {
  auto result = json::parse(arguments).as_object();
  result.emplace("x-expires", 600'000);
  return json::serialize(result);
}

} // namespace

expected<std::vector<queue_name>>
queues_of(const options& given, const settings& x,
          std::vector<std::string>& warnings) {
  if (auto done = check_queues(x, given.queues); !done)
    return error{errc::invalid_setting,
                 "option --queues: " + done.error().what};
  auto result = chosen_queues(given.queues, x);
  for (auto& name : given.exclude_queues)
    if (std::erase(result, queue_name{name}) == 0)
      warnings.push_back("--exclude-queues: '" + name
                         + "' is not among the queues");
  if (result.empty())
    return error{errc::invalid_setting,
                 "option --exclude-queues: no queue is left to consume"};
  return result;
}

expected<void> bind_queues(broker_options& to, const settings& x) {
  auto& node = to.node.str();
  for (auto& queue : x.task_queues) {
    auto i = std::ranges::find(to.queues, queue_name{queue.name});
    if (i == to.queues.end())
      continue;
    auto fine = check_exchange_type(x.broker_url, queue.exchange_type);
    if (!fine)
      return error{errc::invalid_setting, "task_queues: queue '" + queue.name
                                            + "': " + fine.error().what};
    if (queue.exchange_type != "fanout")
      continue;
    auto own = "bcast." + queue.name + '.' + node;
    to.bindings[own] = to.bindings[queue.name];
    to.queue_arguments[own] = arguments_of_own(to.queue_arguments[queue.name]);
    *i = queue_name{own};
  }
  if (x.worker_direct) {
    to.queues.emplace_back(node + ".dq2");
    to.bindings[node + ".dq2"] = {std::string{direct_exchange}, "direct", node};
  }
  return {};
}

} // namespace umbel
