#include "protocol/client/broker_settings.hpp"

namespace umbel {

namespace {

/// What queues are created with, as Celery does by the same settings.
std::map<std::string, std::string> queue_arguments(const settings& x) {
  std::map<std::string, std::string> result;
  auto add = [&](const std::string& name, json::object arguments,
                 std::optional<int> max_priority) {
    if (!max_priority)
      max_priority = x.task_queue_max_priority;
    if (max_priority && !arguments.contains("x-max-priority"))
      arguments["x-max-priority"] = *max_priority;
    result.emplace(name, json::serialize(arguments));
  };
  auto of_type = [](const std::string& type) {
    return type == "classic" ? json::object{}
                             : json::object{{"x-queue-type", type}};
  };
  for (auto& queue : x.task_queues)
    add(queue.name, json::parse(queue.queue_arguments).as_object(),
        queue.max_priority);
  add(x.task_default_queue, of_type(x.task_default_queue_type), {});
  add("", of_type(x.task_create_missing_queue_type), {});
  return result;
}

/// Each node has a queue of its own of a fanout exchange, but all have one name for
/// it. Who has not chosen a key sends with the default one, as Celery's clients do.
broker_options::binding binding_in(const queue_setting& x,
                                   const std::string& default_queue) {
  auto is_fanout = x.exchange_type == "fanout";
  auto chosen = !is_fanout || x.routing_key != x.name;
  return {x.exchange, x.exchange_type, chosen ? x.routing_key : default_queue};
}

} // namespace

broker_options to_broker_options(const settings& from) {
  broker_options to;
  auto& transport = from.broker_transport_options;
  to.visibility_timeout = transport.visibility_timeout;
  to.global_keyprefix = transport.global_keyprefix;
  to.priority_steps = transport.priority_steps;
  to.sep = transport.sep;
  to.event_exchange = from.event_exchange;
  to.filesystem = {transport.data_folder_in, transport.data_folder_out,
                   transport.control_folder, transport.processed_folder,
                   transport.store_processed};
  to.connect_timeout =
      transport.socket_connect_timeout.value_or(from.broker_connection_timeout);
  to.socket_timeout = transport.socket_timeout.value_or(to.socket_timeout);
  to.heartbeat = from.broker_heartbeat;
  to.login_method = from.broker_login_method.value_or("");
  auto& tls = from.broker_use_ssl;
  to.tls = {tls.enabled, tls.ca_certs, tls.certfile, tls.keyfile, tls.verify};
  to.queue_arguments = queue_arguments(from);
  for (auto& queue : from.task_queues)
    to.bindings[queue.name] = binding_in(queue, from.task_default_queue);
  to.missing_exchange_type = from.task_create_missing_queue_exchange_type;
  to.delay_queue_type = from.broker_native_delayed_delivery_queue_type;
  to.result_url = from.result_backend;
  to.results.result_expires =
      from.result_expires.value_or(std::chrono::seconds{0});
  to.results.connect_timeout = from.redis_socket_connect_timeout.value_or(
      from.broker_connection_timeout);
  to.results.socket_timeout = from.redis_socket_timeout;
  to.results.global_keyprefix =
      from.result_backend_transport_options.global_keyprefix;
  return to;
}

} // namespace umbel
