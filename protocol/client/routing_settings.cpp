#include "protocol/client/routing_settings.hpp"

#include "protocol/message/json.hpp"

namespace umbel {

void complete_queues(settings& x) {
  auto& type = x.task_default_exchange_type;
  auto is_chosen = x.task_default_exchange || type != "direct"
                   || x.task_default_routing_key;
  if (x.task_queues.empty() && is_chosen) {
    auto& queue = x.task_queues.emplace_back();
    queue.name = x.task_default_queue;
    if (x.task_default_queue_type != "classic")
      queue.queue_arguments =
        to_json(json::object{{"x-queue-type", x.task_default_queue_type}});
  }
  for (auto& queue : x.task_queues) {
    if (queue.exchange.empty() && queue.exchange_type.empty()) {
      queue.exchange = x.task_default_exchange.value_or(queue.name);
      queue.exchange_type = type;
    }
    if (queue.exchange.empty())
      queue.exchange = queue.name;
    if (queue.exchange_type.empty())
      queue.exchange_type = "direct";
    if (queue.routing_key.empty())
      queue.routing_key = x.task_default_routing_key.value_or(queue.name);
  }
}

routing to_routing(const settings& from) {
  auto all = parse_json(to_child_settings(from));
  // All of it was checked when it was read.
  return parse_routing(all.value().as_object()).value();
}

expected<void> check_queues(const settings& x,
                            std::span<const std::string> names) {
  if (x.task_create_missing_queues)
    return {};
  auto known = to_routing(x).queues;
  for (auto& name : names)
    if (!known.contains(name))
      return error{errc::not_found,
                   "queue '" + name + "' is not in task_queues, and "
                     "task_create_missing_queues is false"};
  return {};
}

} // namespace umbel
