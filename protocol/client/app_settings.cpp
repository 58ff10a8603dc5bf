#include "protocol/client/app_settings.hpp"

#include "protocol/client/broker_settings.hpp"

namespace umbel {

app_options to_app_options(const settings& from) {
  app_options to;
  to.broker_url = from.broker_url;
  to.result_url = from.result_backend;
  to.broker = to_broker_options(from);
  to.result_serializer = from.result_serializer;
  to.task_default_queue = from.task_default_queue;
  to.task_form = {from.task_serializer,
                  from.task_compression.value_or(compression::none)};
  to.sent_events = from.task_send_sent_event;
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
