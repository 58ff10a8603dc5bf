// The commands that change which queues are consumed.
#include "actors/cluster/control_ask.hpp"
#include "actors/consumer/messages.hpp"
#include "protocol/broker/queue_binding.hpp"
#include "protocol/control/arguments.hpp"
#include "protocol/message/envelope.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace umbel {

namespace {

using remote::failed;
using remote::ok;

/// A queue, and what it is to be bound to if the settings do not say.
struct named_queue {
  queue_name name;
  std::optional<queue_address> way;
};

expected<queue_name> read_name(const json::object& arguments) {
  auto name = remote::read_text(arguments, "queue");
  if (!name)
    return name.error();
  if (name->empty())
    return remote::malformed("queue is missing");
  return queue_name{std::move(*name)};
}

expected<named_queue> read_queue(const control_state& self,
                                 const json::object& arguments) {
  auto name = read_name(arguments);
  auto exchange = remote::read_text(arguments, "exchange");
  auto type = remote::read_text(arguments, "exchange_type");
  auto key = remote::read_text(arguments, "routing_key");
  if (!name || !exchange || !type || !key)
    return !name ? name.error() : !exchange ? exchange.error()
                              : !type       ? type.error()
                                            : key.error();
  named_queue result{std::move(*name), {}};
  auto& known = self.options.config->broker.bindings;
  auto found = known.find(result.name.str());
  if (found == known.end()) {
    auto& queue = result.name.str();
    result.way = queue_address{exchange->empty() ? queue : *exchange,
                               type->empty() ? "direct" : *type,
                               key->empty() ? queue : *key};
  }
  auto& kind = result.way ? result.way->exchange_type : found->second.exchange_type;
  auto& own = self.options.config->broker.queues;
  if (kind == "fanout" && std::ranges::find(own, result.name) == own.end())
    return error{errc::unsupported,
                 "a queue of a fanout exchange must be among those that the worker "
                 "consumes at its start"};
  if (result.way && kind != "direct" && kind != "topic")
    return error{errc::unsupported,
                 "exchange_type '" + kind + "' is neither direct nor topic"};
  return result;
}

/// Makes the queue, over a connection of its own: what the broker refuses harms no
/// other.
expected<void> declare(const control_state& self, const named_queue& queue) {
  auto& config = *self.options.config;
  auto options = config.broker;
  if (queue.way)
    options.bindings[queue.name.str()] = *queue.way;
  options.queues.clear();
  options.incarnation = make_uuid().substr(0, 8);
  options.shared = std::make_shared<shared_connections>();
  auto connected = connect_broker(config.settings.broker_url, options);
  if (!connected)
    return connected.error();
  return (*connected)->declare({&queue.name, 1});
}

/// Answers when nothing is reserved by the old list any more.
void take_queues(control_state& self, std::string text, answer_function answer) {
  self.ask<queues_taken>(self.colleagues.consumer, queues_changed{}, answer,
                         [answer, text = std::move(text)](queues_taken) {
                           answer(ok(text));
                         });
}

void add_consumer(control_state& self, const json::object& arguments,
                  answer_function answer) {
  using change = consumed_queues::change;
  auto queue = read_queue(self, arguments);
  if (!queue)
    return answer(failed(queue.error().what));
  auto& name = queue->name;
  auto text = fmt::format("add consumer {}", name.str());
  if (self.options.queues->consumes(name))
    return answer(ok(text));
  if (auto made = declare(self, *queue); !made)
    return answer(failed(made.error().what));
  if (queue->way)
    self.options.config->broker.added->set(name.str(), std::move(*queue->way));
  switch (self.options.queues->add(name)) {
    case change::too_many:
      return answer(failed(fmt::format("a worker consumes {} queues at most",
                                       consumed_queues::queues_max)));
    case change::done:
      spdlog::info("Started consuming from {}", name.str());
      return take_queues(self, std::move(text), std::move(answer));
    case change::already:
      return answer(ok(text));
  }
}

void cancel_consumer(control_state& self, const json::object& arguments,
                     answer_function answer) {
  auto queue = read_name(arguments);
  if (!queue)
    return answer(failed(queue.error().what));
  auto text = fmt::format("no longer consuming from {}", queue->str());
  if (self.options.queues->remove(*queue) != consumed_queues::change::done)
    return answer(ok(text));
  spdlog::info("Canceling queue {}", queue->str());
  take_queues(self, std::move(text), std::move(answer));
}

} // namespace

std::span<const control_method> queue_methods() {
  static constexpr control_method methods[] = {
    {"add_consumer", add_consumer},
    {"cancel_consumer", cancel_consumer},
  };
  return methods;
}

} // namespace umbel
