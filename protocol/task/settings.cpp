#include "protocol/task/settings.hpp"

#include "protocol/message/json.hpp"

namespace umbel {

expected<runner_settings> parse_runner_settings(std::string node,
                                                std::string_view text) {
  auto parsed = parse_json(text.empty() ? "{}" : text);
  if (!parsed)
    return parsed.error();
  auto* object = parsed->if_object();
  if (!object)
    return error{errc::malformed, "settings are not a JSON object"};
  runner_settings to;
  to.node = std::move(node);
  const std::pair<const char*, bool*> flags[] = {
      {"task_ignore_result", &to.task_ignore_result},
      {"task_store_errors_even_if_ignored",
       &to.task_store_errors_even_if_ignored},
      {"task_track_started", &to.task_track_started},
      {"result_extended", &to.result_extended},
  };
  for (auto& [name, flag] : flags) {
    auto* value = object->if_contains(name);
    if (!value || value->is_null())
      continue;
    if (!value->is_bool())
      return error{errc::invalid_setting,
                   std::string{"setting "} + name + " must be true or false"};
    *flag = value->get_bool();
  }
  if (auto* queue = object->if_contains("task_default_queue");
      queue && !queue->is_null()) {
    if (!queue->is_string())
      return error{errc::invalid_setting,
                   "setting task_default_queue must be a string"};
    to.task_default_queue = queue->get_string().c_str();
  }
  return to;
}

} // namespace umbel
