// Binds queues to exchanges, and ends those of fanout exchanges with the node whose
// they were.
#include "protocol/broker/queue_binding.hpp"
#include "protocol/broker/redis/binding.hpp"
#include "protocol/broker/redis/redis_broker.hpp"
#include "protocol/broker/redis/scripts.hpp"
#include "protocol/message/json.hpp"

namespace umbel {

using namespace redis;

expected<void> redis::declare_queues(connection& where, const keys& names,
                                     const broker_options& options,
                                     std::span<const queue_name> queues) {
  pipeline commands;
  json::array members, lists; // of fanout exchanges
  for (auto& queue : queues) {
    if (broadcast_address(options, queue.str()))
      continue;
    auto way = binding_of(options, queue.str());
    auto own = is_own(options, queue.str());
    auto key = names.binding(way.exchange);
    for (auto& member : binding_members(way, queue.str(), options.sep)) {
      commands.add({"SADD", key, member});
      if (own)
        members.push_back(json::array{key, member});
    }
    if (own)
      for (auto& list : names.lists(queue.str()))
        lists.emplace_back(list);
  }
  // First who has to end them, then they.
  if (!lists.empty()) {
    json::object left{{"members", std::move(members)},
                      {"lists", std::move(lists)}};
    auto noted = where.command({"HSET", names.fanout_queues(),
                                options.node.str(), to_json(left)},
                               "declare queues");
    if (!noted)
      return noted.error();
  }
  if (commands.size() == 0)
    return {};
  auto replies = where.check(std::move(commands), "declare queues");
  if (!replies)
    return replies.error();
  return {};
}

expected<void> redis_broker::declare(std::span<const queue_name> queues) {
  return declare_queues(*main_, keys_, options_, queues);
}

// Others may have taken this node for dead, and ended its queues.
expected<void> redis_broker::keep_fanout() {
  std::vector<queue_name> ours;
  for (auto& queue : options_.queues)
    if (is_own(options_, queue.str()))
      ours.push_back(queue);
  return ours.empty() ? expected<void>{} : declare(ours);
}

expected<void> redis_broker::end_fanout(const std::string& node,
                                        const std::string& incarnation) {
  auto x = main_->command({"EVALSHA", scripts::end_fanout.sha, "2",
                           keys_.fanout_queues(), keys_.incarnations(), node,
                           incarnation},
                          "end queues of fanout exchanges");
  if (!x)
    return x.error();
  return {};
}

} // namespace umbel
