#include "protocol/task/task_meta.hpp"

namespace umbel {

meta make_meta(const task_message& message, const runner_settings& settings,
               std::string status) {
  meta to;
  auto& header = message.header;
  to.status = std::move(status);
  if (to.status == "SUCCESS" || to.status == "FAILURE"
      || to.status == "REVOKED")
    to.date_done = now();
  to.group_id = header.group;
  to.parent_id = header.parent_id;
  to.task_id = header.id.str();
  if (settings.result_extended)
    to.extended = extended_info{
        header.task,   message.args,   message.kwargs,
        settings.node, header.retries, delivery_info(message, "routing_key")};
  return to;
}

std::string delivery_info(const task_message& message, const char* key) {
  auto* info = message.properties.if_contains("delivery_info");
  if (!info || !info->is_object())
    return "";
  auto* x = info->get_object().if_contains(key);
  return x && x->is_string() ? x->get_string().c_str() : "";
}

} // namespace umbel
