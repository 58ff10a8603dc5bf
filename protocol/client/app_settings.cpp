#include "protocol/client/app_settings.hpp"

#include "protocol/client/broadcast_settings.hpp"
#include "protocol/client/broker_settings.hpp"
#include "protocol/client/routing_settings.hpp"

namespace umbel {

app_options to_app_options(const settings& from) {
  app_options to;
  to.broker_url = from.broker_url;
  to.result_url = from.result_backend;
  to.broker = to_broker_options(from);
  to.result_serializer = from.result_serializer;
  to.routing = to_routing(from);
  to.task_form = {from.task_serializer,
                  from.task_compression.value_or(compression::none)};
  if (from.task_publish_retry)
    to.publish_retry = from.task_publish_retry_policy;
  else
    to.publish_retry.max_retries = 0;
  to.sent_events = from.task_send_sent_event;
  to.event_serializer = from.event_serializer;
  to.always_eager = from.task_always_eager;
  to.eager_propagates = from.task_eager_propagates;
  to.store_eager_result = from.task_store_eager_result;
  to.control_exchange = to_broadcast_options(from).control_exchange;
  return to;
}

expected<app_options> read_app_options(const std::string& file,
                                       std::vector<std::string>& warnings) {
  auto loaded = load_settings({file, {}, {}}, warnings);
  if (!loaded)
    return loaded.error();
  return to_app_options(*loaded);
}

} // namespace umbel
