#include "protocol/client/sent_events.hpp"

#include "protocol/message/envelope.hpp"

namespace umbel {

json::object sent_event_fields(const outgoing_message& x) {
  json::object result;
  auto message = parse_envelope(x.payload);
  if (!message)
    return result;
  auto& headers = message->headers;
  auto header = [&](const char* name) {
    auto found = headers.if_contains(name);
    return found != nullptr ? *found : json::value{};
  };
  if (!header("id").is_string() || !header("task").is_string())
    return result;
  result["uuid"] = header("id");
  result["name"] = header("task");
  result["args"] = header("argsrepr");
  result["kwargs"] = header("kwargsrepr");
  for (auto name : {"root_id", "parent_id", "retries", "eta", "expires"})
    result[name] = header(name);
  result["queue"] =
    x.queue.empty() ? json::value{} : json::value(x.queue.str());
  result["exchange"] = x.exchange;
  result["routing_key"] = x.exchange.empty() ? x.queue.str() : x.routing_key;
  return result;
}

expected<void> sent_events::tell(broker& by,
                                 std::span<const outgoing_message> tasks) {
  constexpr auto type = "task-sent";
  auto key = event_routing_key(type);
  for (auto& task : tasks) {
    auto fields = sent_event_fields(task);
    if (fields.empty())
      continue;
    std::string body;
    append_event(body, type, fields, who_, now(), ++clock_);
    auto done = by.publish(who_.exchange, key,
                           make_event_message(body, key, who_), 0);
    if (!done)
      return done.error();
  }
  return {};
}

} // namespace umbel
