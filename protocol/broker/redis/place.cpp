#include "protocol/broker/redis/place.hpp"

#include "protocol/broker/queue_binding.hpp"

namespace umbel::redis {

places::places(const broker_options& options, int db) : keys_(options) {
  for (auto& [queue, way] : options.bindings)
    if (broadcast_address(options, queue))
      channels_[queue] = keys_.fanout(db, way.exchange, way.routing_key);
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

} // namespace umbel::redis
