#include "protocol/task/settings.hpp"

#include "protocol/canvas/routing.hpp"
#include "protocol/message/json.hpp"

#include <algorithm>

namespace umbel {

namespace {

error invalid(const char* name, const std::string& why) {
  return {errc::invalid_setting, std::string{"setting "} + name + ' ' + why};
}

expected<serializer> read_serializer(const char* name, const json::value& x) {
  if (!x.is_string())
    return invalid(name, "must be a string");
  auto known = parse_serializer(x.get_string());
  if (!known)
    return invalid(name, ": " + known.error().what);
  return *known;
}

expected<std::vector<serializer>> read_serializers(const char* name,
                                                   const json::value& x) {
  if (!x.is_array() || x.get_array().empty())
    return invalid(name, "must be a list of serializers");
  std::vector<serializer> to;
  for (auto& one : x.get_array()) {
    auto known = read_serializer(name, one);
    if (!known)
      return known.error();
    to.push_back(*known);
  }
  return to;
}

/// How bodies and results are written and which are read.
expected<void> read_content(runner_settings& to, const json::object& from) {
  auto find = [&](const char* name) -> const json::value* {
    auto* x = from.if_contains(name);
    return x && !x->is_null() ? x : nullptr;
  };
  for (auto [name, target] :
       {std::pair{"task_serializer", &to.task_form.serializer},
        std::pair{"result_serializer", &to.result_serializer}})
    if (auto* x = find(name)) {
      auto known = read_serializer(name, *x);
      if (!known)
        return known.error();
      *target = *known;
    }
  if (auto* x = find("task_compression")) {
    if (!x->is_string())
      return invalid("task_compression", "must be a string or null");
    auto known = parse_compression(x->get_string());
    if (!known)
      return invalid("task_compression", ": " + known.error().what);
    to.task_form.compression = *known;
  }
  if (auto* x = find("task_body_max")) {
    boost::system::error_code ec;
    auto n = x->to_number<int64_t>(ec);
    if (ec || n < 1)
      return invalid("task_body_max", "must be a number of bytes");
    to.content.body_max = static_cast<size_t>(n);
  }
  if (auto* x = find("accept_content")) {
    auto all = read_serializers("accept_content", *x);
    if (!all)
      return all.error();
    to.content.accepted = std::move(*all);
  }
  auto results = to.content.accepted;
  if (auto* x = find("result_accept_content")) {
    auto all = read_serializers("result_accept_content", *x);
    if (!all)
      return all.error();
    results = std::move(*all);
  }
  to.result_accepted =
      std::ranges::find(results, to.result_serializer) != results.end();
  return {};
}

} // namespace

std::shared_ptr<const routing> default_routing() {
  static const auto defaults = std::make_shared<const routing>();
  return defaults;
}

void add_failure_takers(runner_settings& to,
                        const std::vector<task_options>& tasks) {
  for (auto& x : tasks)
    if (x.takes_failure)
      to.failure_takers.insert(x.name);
}

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
  const std::pair<std::string_view, bool*> flags[] = {
      {unique_keys_name, &to.keeps_unique_keys},
      {"task_ignore_result", &to.task_ignore_result},
      {"task_store_errors_even_if_ignored",
       &to.task_store_errors_even_if_ignored},
      {"task_track_started", &to.task_track_started},
      {"result_extended", &to.result_extended},
      {"task_acks_late", &to.task_acks_late},
      {"worker_deduplicate_successful_tasks",
       &to.worker_deduplicate_successful_tasks},
      {"task_always_eager", &to.task_always_eager},
      {"task_store_eager_result", &to.task_store_eager_result},
  };
  for (auto& [name, flag] : flags) {
    auto* value = object->if_contains(name);
    if (!value || value->is_null())
      continue;
    if (!value->is_bool())
      return error{errc::invalid_setting,
                   "setting " + std::string{name} + " must be true or false"};
    *flag = value->get_bool();
  }
  if (auto* x = object->if_contains("result_chord_retry_interval");
      x && !x->is_null()) {
    if (!x->is_number() || !(x->to_number<double>() >= 0))
      return error{errc::invalid_setting,
                   "setting result_chord_retry_interval must be a number of "
                   "seconds"};
    to.result_chord_retry_interval = x->to_number<double>();
  }
  if (auto* x = object->if_contains(chord_counting_name); x && x->is_string())
    to.chords = parse_chord_counting(std::string_view{x->get_string()});
  auto routing = parse_routing(*object);
  if (!routing)
    return routing.error();
  to.routing = std::make_shared<const umbel::routing>(std::move(*routing));
  json::object webhooks;
  for (auto& [name, value] : *object)
    if (std::string_view{name}.starts_with("webhook_"))
      webhooks.emplace(name, value);
  to.webhooks = std::make_shared<const json::object>(std::move(webhooks));
  if (auto done = read_content(to, *object); !done)
    return done.error();
  return to;
}

} // namespace umbel
