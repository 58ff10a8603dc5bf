#include "protocol/client/broadcast_settings.hpp"

namespace umbel {

broadcast_options to_broadcast_options(const settings& from) {
  broadcast_options result;
  result.control_exchange = from.control_exchange + ".pidbox";
  result.reply_exchange = "reply." + result.control_exchange;
  result.control = {from.control_queue_expires, from.control_queue_ttl,
                    from.control_queue_exclusive, from.control_queue_durable};
  result.events = {from.event_queue_expires, from.event_queue_ttl,
                   from.event_queue_exclusive, from.event_queue_durable};
  result.event_queue_prefix = from.event_queue_prefix;
  return result;
}

content_rules to_event_rules(const settings& from) {
  return {{serializer::json, from.event_serializer}, from.task_body_max};
}

} // namespace umbel
