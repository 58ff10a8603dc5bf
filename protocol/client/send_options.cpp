#include "protocol/client/send_options.hpp"

#include "protocol/task/to_json.hpp"

namespace umbel {

void set_options(canvas::signature& x, const send_options& how) {
  auto set = [&](const char* key, json::value value) {
    x.options[key] = std::move(value);
  };
  auto text = [&](const char* key, const std::string& value) {
    if (!value.empty())
      set(key, json::value(value));
  };
  auto seconds = [&](const char* key, auto& value) {
    if (value)
      set(key, seconds_to_json(*value));
  };
  auto all = [&](const char* key, const std::vector<canvas::signature>& list) {
    if (list.empty())
      return;
    json::array to;
    for (auto& sig : list)
      to.push_back(canvas::to_json_value(sig));
    set(key, std::move(to));
  };
  text("task_id", how.task_id);
  text("queue", how.queue);
  text("exchange", how.exchange);
  text("routing_key", how.routing_key);
  text("serializer", how.serializer);
  text("compression", how.compression);
  text("shadow", how.shadow);
  text("reply_to", how.reply_to);
  seconds("countdown", how.countdown);
  seconds("expires", how.expires_in);
  seconds("time_limit", how.time_limit);
  seconds("soft_time_limit", how.soft_time_limit);
  if (how.eta)
    set("eta", json::value(format_time(*how.eta)));
  if (how.expires)
    set("expires", json::value(format_time(*how.expires)));
  if (how.priority)
    set("priority", *how.priority);
  if (how.delivery_mode)
    set("delivery_mode", static_cast<int>(*how.delivery_mode));
  if (how.ignore_result)
    set("ignore_result", *how.ignore_result);
  if (!how.headers.empty())
    set("headers", how.headers);
  all("link", how.link);
  all("link_error", how.link_error);
}

send_options merge(const send_options& defaults, send_options how) {
  auto sequence = [](auto& to, const auto& from) {
    if (to.empty())
      to = from;
  };
  auto other = [](auto& to, const auto& from) {
    if (!to)
      to = from;
  };
  // Each of two that mean the same outranks the other one, too.
  if (!how.countdown && !how.eta) {
    how.countdown = defaults.countdown;
    how.eta = defaults.eta;
  }
  if (!how.expires && !how.expires_in) {
    how.expires = defaults.expires;
    how.expires_in = defaults.expires_in;
  }
  sequence(how.queue, defaults.queue);
  sequence(how.exchange, defaults.exchange);
  sequence(how.routing_key, defaults.routing_key);
  sequence(how.serializer, defaults.serializer);
  sequence(how.compression, defaults.compression);
  sequence(how.shadow, defaults.shadow);
  sequence(how.reply_to, defaults.reply_to);
  other(how.priority, defaults.priority);
  other(how.delivery_mode, defaults.delivery_mode);
  other(how.time_limit, defaults.time_limit);
  other(how.soft_time_limit, defaults.soft_time_limit);
  other(how.ignore_result, defaults.ignore_result);
  other(how.retry, defaults.retry);
  other(how.retry_policy, defaults.retry_policy);
  sequence(how.headers, defaults.headers);
  sequence(how.link, defaults.link);
  sequence(how.link_error, defaults.link_error);
  how.add_to_parent = how.add_to_parent && defaults.add_to_parent;
  return how;
}

} // namespace umbel
