// Sends tasks and waits for their results, on any broker: what a program needs
// that runs nothing itself. One object is a connection to the broker and, if
// results are wanted, one to the result store; used by one thread at a time.
#pragma once

#include "protocol/backend/result_listener.hpp"
#include "protocol/backend/result_store.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/client/sent_events.hpp"
#include "protocol/client/task_result.hpp"
#include "protocol/message/task_message.hpp"

#include <memory>
#include <optional>
#include <string>

namespace umbel {

struct producer_options {
  std::string broker_url;
  std::string result_url; ///< empty: results are not waited for
  broker_options broker;  ///< timeouts, transport options
  serializer result_serializer = serializer::json; ///< of results that are read
  bool sent_events = false; ///< tell monitors of each task: `task_send_sent_event`
  serializer event_serializer = serializer::json; ///< of what they are told
};

class producer {
public:
  /// @returns errors as `connect_broker`; `unsupported` if a result store was
  ///          named that keeps nothing
  static expected<producer> connect(const producer_options& options);

  /// Publishes the task on its queue, which is made known first.
  /// @param call its id is made if it has none
  expected<task_id> send(task_call call);

  /// Waits for the end of a task that this object has sent.
  /// @returns nothing when `timeout` has passed
  expected<std::optional<task_result>>
  wait(const task_id& id, std::optional<std::chrono::milliseconds> timeout);

private:
  producer() = default;

  expected<std::optional<task_result>> fetch(const task_id& id);

  serializer serializer_ = serializer::json;
  std::optional<sent_events> sent_events_; ///< empty: nobody is told
  std::unique_ptr<broker> broker_;
  std::unique_ptr<result_listener> listener_; // null: nobody waits
  std::unique_ptr<result_store> results_;
};

} // namespace umbel
