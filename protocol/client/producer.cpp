#include "protocol/client/producer.hpp"

#include "protocol/client/client_name.hpp"

#include <algorithm>

#include <unistd.h>

namespace umbel {

namespace {

using clock = std::chrono::steady_clock;

// Between two looks at the store itself, in case an announcement was lost.
constexpr auto look_interval = std::chrono::milliseconds{1'000};

} // namespace

expected<producer> producer::connect(const producer_options& options) {
  producer result;
  result.serializer_ = options.result_serializer;
  if (options.sent_events)
    result.sent_events_.emplace(event_source{node_name{client_name()}, ::getpid(),
                                             options.event_serializer});
  if (!options.result_url.empty()) {
    auto listener
      = connect_result_listener(options.result_url, options.broker.results);
    if (!listener)
      return listener.error();
    auto store
      = connect_result_store(options.result_url, options.broker.results);
    if (!store)
      return store.error();
    result.listener_ = std::move(*listener);
    result.results_ = std::move(*store);
  }
  auto broker_options = options.broker;
  broker_options.node = node_name{client_name()};
  broker_options.incarnation = make_uuid();
  broker_options.queues.clear();
  auto broker = connect_broker(options.broker_url, broker_options);
  if (!broker)
    return broker.error();
  result.broker_ = std::move(*broker);
  return result;
}

expected<task_id> producer::send(task_call call) {
  if (call.id.empty())
    call.id = make_uuid();
  if (call.origin.empty())
    call.origin = client_name();
  task_id id{call.id};
  // Before it can end.
  if (listener_)
    if (auto done = listener_->subscribe({&id, 1}); !done)
      return done.error();
  const queue_name queue{call.queue};
  if (auto done = broker_->declare({&queue, 1}); !done)
    return done.error();
  const outgoing_message message{queue, call.priority, make_task_message(call)};
  if (auto done = broker_->publish({&message, 1}); !done)
    return done.error();
  if (sent_events_)
    if (auto done = sent_events_->tell(*broker_, {&message, 1}); !done)
      return done.error();
  return id;
}

expected<std::optional<task_result>> producer::fetch(const task_id& id) {
  auto document = results_->fetch(id);
  if (!document)
    return document.error();
  if (!*document)
    return std::optional<task_result>{};
  auto result = parse_task_result(serializer_, **document);
  if (!result)
    return result.error();
  return result->ended() ? std::optional{std::move(*result)} : std::nullopt;
}

expected<std::optional<task_result>>
producer::wait(const task_id& id,
               std::optional<std::chrono::milliseconds> timeout) {
  if (!listener_)
    return error{errc::unsupported, "there is no result store to wait at"};
  auto begin = clock::now();
  for (;;) {
    auto pause = look_interval;
    if (timeout) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(
        begin + *timeout - clock::now());
      pause = std::clamp(left, std::chrono::milliseconds{0}, look_interval);
    }
    auto arrived = listener_->wait(pause);
    if (!arrived)
      return arrived.error();
    for (auto& x : *arrived) {
      auto result = parse_task_result(serializer_, x.document);
      if (!result)
        return result.error();
      if (x.id == id && result->ended())
        return std::optional{std::move(*result)};
    }
    if (!arrived->empty())
      continue;
    auto found = fetch(id);
    if (!found || *found)
      return found;
    if (timeout && clock::now() - begin >= *timeout)
      return std::optional<task_result>{};
  }
}

} // namespace umbel
