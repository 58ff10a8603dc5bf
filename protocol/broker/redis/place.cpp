#include "protocol/broker/redis/place.hpp"

#include "protocol/broker/queue_binding.hpp"

namespace umbel::redis {

places::places(const broker_options& options, int db)
    : keys_(options), db_(db) {
  for (auto& [queue, way] : options.bindings) {
    if (way.exchange_type == "fanout")
      fanouts_.insert(way.exchange);
    if (broadcast_address(options, queue))
      channels_[queue] = keys_.fanout(db, way.exchange, way.routing_key);
  }
}

const std::string* places::channel(const queue_name& queue) const {
  auto i = channels_.find(queue.str());
  return i == channels_.end() ? nullptr : &i->second;
}

std::string places::of(const queue_name& queue, int priority) const {
  if (auto* to = channel(queue))
    return '\0' + *to;
  return keys_.list(queue.str(), priority);
}

std::optional<std::string>
places::through(const std::string& exchange,
                const std::string& routing_key) const {
  if (!fanouts_.contains(exchange))
    return std::nullopt;
  return '\0' + keys_.fanout(db_, exchange, routing_key);
}

} // namespace umbel::redis
