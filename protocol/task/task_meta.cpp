#include "protocol/task/task_meta.hpp"

#include <set>
#include <string_view>

namespace umbel {

namespace {

/// As Celery 5.3 does. A stamp that has the name of something else in the document is
/// left out: Celery's would take its place.
void add_stamps(extended_info& to, const json::object& headers) {
  static const std::set<std::string_view> taken{
      "status",    "result", "traceback", "children", "date_done",
      "group_id",  "parent_id", "name",   "args",     "kwargs",
      "worker",    "retries", "queue",    "task_id",  "stamped_headers"};
  auto* names = headers.if_contains("stamped_headers");
  auto* stamps = headers.if_contains("stamps");
  if (!names || !names->is_array() || !stamps || !stamps->is_object())
    return;
  to.stamped_headers = names->get_array();
  for (auto& [name, value] : stamps->get_object())
    if (!taken.contains(name))
      to.stamps.emplace(name, value);
}

} // namespace

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
  if (to.extended)
    add_stamps(*to.extended, message.headers);
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
