#include "protocol/broker/queue_binding.hpp"

#include "protocol/broker/amqp/address.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace umbel {

namespace {

bool consumes(const broker_options& x, const std::string& queue) {
  return std::ranges::find(x.queues, queue_name{queue}) != x.queues.end();
}

} // namespace

broker_options::binding binding_of(const broker_options& x,
                                   const std::string& queue) {
  auto i = x.bindings.find(queue);
  if (i != x.bindings.end())
    return i->second;
  return x.added->find(queue).value_or(
    broker_options::binding{queue, x.missing_exchange_type, queue});
}

const broker_options::binding* broadcast_address(const broker_options& x,
                                                 const std::string& queue) {
  auto i = x.bindings.find(queue);
  if (i == x.bindings.end() || i->second.exchange_type != "fanout"
      || consumes(x, queue))
    return nullptr;
  return &i->second;
}

bool is_own(const broker_options& x, const std::string& queue) {
  auto i = x.bindings.find(queue);
  return i != x.bindings.end() && i->second.exchange_type == "fanout"
         && consumes(x, queue);
}

expected<void> check_exchange_type(const std::string& url,
                                   const std::string& type) {
  auto scheme = url.substr(0, url.find("://"));
  if (amqp::is_amqp(scheme))
    return {}; // plugins may bring more: the server knows
  // In files nobody ends a dead node's queue.
  auto has_fanout = scheme == "memory" || fanout_needs_subscriber(url);
  std::vector<std::string_view> types{"direct", "topic"};
  if (has_fanout)
    types.push_back("fanout");
  if (std::ranges::find(types, type) != types.end())
    return {};
  return error{errc::unsupported,
               "exchange_type '" + type + "' is not one of direct, topic"
                 + (has_fanout ? ", fanout" : "") + ", which are all that "
                 + scheme + ":// has"};
}

bool fanout_needs_subscriber(const std::string& url) {
  return url.starts_with("redis") || url.starts_with("unix:");
}

} // namespace umbel
