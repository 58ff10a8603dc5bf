#include "protocol/canvas/routing.hpp"

#include <algorithm>
#include <utility>

namespace umbel {

namespace {

/// A member that is text; empty for anything else.
std::string text_in(const json::object& x, std::string_view key) {
  auto* value = x.if_contains(key);
  return value && value->is_string() ? std::string{value->get_string()}
                                     : std::string{};
}

std::string first_of(std::string x, const std::string& y) {
  return x.empty() ? y : x;
}

std::optional<int> priority_in(const json::object& x, std::string_view key) {
  auto* value = x.if_contains(key);
  if (!value || !value->is_int64())
    return std::nullopt;
  return static_cast<int>(std::clamp<int64_t>(value->get_int64(), 0, 9));
}

std::optional<delivery_mode> delivery_mode_in(const json::object& x,
                                              std::string_view key) {
  auto* value = x.if_contains(key);
  auto known = value ? parse_delivery_mode(*value)
                     : expected<delivery_mode>{error{errc::not_found, ""}};
  return known ? std::optional{*known} : std::nullopt;
}

bool flag_in(const json::object& x, std::string_view key, bool otherwise) {
  auto* value = x.if_contains(key);
  return value && value->is_bool() ? value->get_bool() : otherwise;
}

} // namespace

expected<void> routing::address(task_call& call, const json::object& options,
                                std::optional<int> parent_priority) const {
  auto found = routes.find({call.task, call.args, call.kwargs, options});
  if (auto done = choose_queue(call, options, found ? &*found : nullptr); !done)
    return done;
  auto priority = priority_in(options, "priority");
  if (!priority && found)
    priority = found->priority;
  if (!priority && inherit_priority)
    priority = parent_priority;
  call.priority = priority.value_or(default_priority.value_or(0));
  auto mode = delivery_mode_in(options, "delivery_mode");
  if (!mode && found)
    mode = found->delivery_mode;
  if (auto known = queues.find(call.queue); !mode && known != queues.end())
    mode = known->second.delivery_mode;
  call.delivery_mode = mode.value_or(delivery_mode);
  if (auto said = parse_serializer(text_in(options, "serializer")))
    call.form.serializer = *said;
  else if (found && found->serializer)
    call.form.serializer = *found->serializer;
  auto compressed = text_in(options, "compression");
  auto said = parse_compression(compressed);
  if (!compressed.empty() && said)
    call.form.compression = *said;
  else if (found && found->compression)
    call.form.compression = *found->compression;
  auto* headers = options.if_contains("headers");
  if (found && (!headers || !headers->is_object()))
    for (auto& [key, value] : found->headers)
      call.headers.emplace(key, value);
  return {};
}

expected<void> routing::choose_queue(task_call& call,
                                     const json::object& options,
                                     const route* found) const {
  static const route nothing;
  auto& by_name = found ? *found : nothing;
  call.queue = first_of(text_in(options, "queue"), by_name.queue);
  call.exchange = first_of(text_in(options, "exchange"), by_name.exchange);
  call.routing_key =
    first_of(text_in(options, "routing_key"), by_name.routing_key);
  if (call.queue.empty() && (!found || call.exchange.empty()))
    call.queue = default_queue;
  auto known = queues.find(call.queue);
  if (known == queues.end() && !call.queue.empty() && !create_missing)
    return error{errc::not_found,
                 "Queue '" + call.queue + "' missing from task_queues"};
  auto type = first_of(text_in(options, "exchange_type"), by_name.exchange_type);
  if (type.empty())
    type = known != queues.end() ? known->second.exchange_type
                                 : missing_exchange_type;
  auto both = !call.exchange.empty() && !call.routing_key.empty();
  auto by_queue = call.exchange.empty() ? type == "direct" || type == "fanout"
                                        : type == "direct" && !both;
  if (by_queue && !call.queue.empty()) {
    call.exchange.clear();
    call.routing_key.clear();
  } else if (call.exchange.empty()) {
    auto of_queue = known != queues.end()
                      ? known->second
                      : known_queue{call.queue, type, call.queue, {}};
    call.exchange = of_queue.exchange;
    call.routing_key = first_of(call.routing_key, of_queue.routing_key);
  }
  return {};
}

expected<routing> parse_routing(const json::object& settings) {
  routing to;
  auto wrong = [](const char* name, const std::string& why) {
    return error{errc::invalid_setting,
                 std::string{"setting "} + name + ": " + why};
  };
  to.default_queue =
    first_of(text_in(settings, "task_default_queue"), to.default_queue);
  to.create_missing =
    flag_in(settings, "task_create_missing_queues", to.create_missing);
  to.inherit_priority =
    flag_in(settings, "task_inherit_parent_priority", to.inherit_priority);
  to.missing_exchange_type =
    first_of(text_in(settings, "task_create_missing_queue_exchange_type"),
             to.missing_exchange_type);
  to.default_priority = priority_in(settings, "task_default_priority");
  to.delivery_mode = delivery_mode_in(settings, "task_default_delivery_mode")
                       .value_or(to.delivery_mode);
  if (auto* routes = settings.if_contains("task_routes")) {
    auto parsed = router::parse(*routes);
    if (!parsed)
      return wrong("task_routes", parsed.error().what);
    to.routes = std::move(*parsed);
  }
  if (auto* queues = settings.if_contains("task_queues");
      queues && queues->is_array())
    for (auto& x : queues->get_array()) {
      auto* queue = x.if_object();
      auto name = queue ? text_in(*queue, "name") : std::string{};
      if (name.empty())
        return wrong("task_queues", "a queue without a name");
      to.queues[name] = {first_of(text_in(*queue, "exchange"), name),
                         first_of(text_in(*queue, "exchange_type"), "direct"),
                         first_of(text_in(*queue, "routing_key"), name),
                         delivery_mode_in(*queue, "delivery_mode")};
    }
  if (to.queues.empty())
    to.queues[to.default_queue] = {to.default_queue, "direct", to.default_queue,
                                   {}};
  return to;
}

outgoing_message to_message(const task_call& call) {
  return {queue_name{call.queue}, call.priority, make_task_message(call),
          call.exchange, call.routing_key};
}

} // namespace umbel
