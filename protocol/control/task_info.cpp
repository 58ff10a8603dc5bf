#include "protocol/control/task_info.hpp"

#include "protocol/message/task_message.hpp"

namespace umbel {

namespace {

double unix_seconds(timestamp t) {
  return std::chrono::duration<double>(t.time_since_epoch()).count();
}

json::value delivery_info(const task_header& header,
                          const json::object* properties) {
  json::object result{{"exchange", ""}, {"routing_key", ""}};
  if (properties != nullptr)
    if (auto x = properties->if_contains("delivery_info"); x && x->is_object())
      for (auto key : {"exchange", "routing_key"})
        if (auto y = x->get_object().if_contains(key))
          result[key] = *y;
  result["priority"] = header.priority;
  result["redelivered"] = header.redelivered;
  return result;
}

} // namespace

json::object task_info(std::string_view payload, const node_name& node,
                       const task_status& status, bool safe) {
  // It was accepted when it came.
  static const content_rules any{
    {serializer::json, serializer::yaml, serializer::msgpack}};
  task_header header;
  if (auto read = read_task_header(payload, any))
    header = std::move(*read);
  json::value args(read_header_text(payload, "argsrepr"));
  json::value kwargs(read_header_text(payload, "kwargsrepr"));
  json::value delivery = delivery_info(header, nullptr);
  if (payload.size() <= shown_message_max)
    if (auto message = parse_task_message(payload, any)) {
      delivery = delivery_info(header, &message->properties);
      if (!safe) {
        args = std::move(message->args);
        kwargs = std::move(message->kwargs);
      } else {
        args = json::value(python_repr_tuple(message->args));
        kwargs = json::value(python_repr(message->kwargs));
      }
    }
  json::object result;
  result["id"] = header.id.str();
  result["name"] = header.shadow.empty() ? header.task : header.shadow;
  result["args"] = std::move(args);
  result["kwargs"] = std::move(kwargs);
  result["type"] = header.task;
  result["hostname"] = node.str();
  result["time_start"] = nullptr;
  if (status.started)
    result["time_start"] = unix_seconds(*status.started);
  result["acknowledged"] = status.acknowledged;
  result["delivery_info"] = std::move(delivery);
  result["worker_pid"] = nullptr;
  if (status.worker_pid)
    result["worker_pid"] = *status.worker_pid;
  return result;
}

} // namespace umbel
