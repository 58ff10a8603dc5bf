// Where a task goes, and how, by its call, by task_routes and by what is known of
// queues: what Celery's `Router.route` and `send_task_message` decide. Everybody who
// sends tasks asks here.
//
//  1. What the call says counts, then what its route says, then the defaults.
//  2. A queue of a direct exchange is reached by its name. One of another exchange is
//     reached through it, with the key that was said, or the queue's own; one of a
//     fanout exchange by its name, for which brokers know the way.
//  3. An exchange and a key that were said both are where the message goes.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/canvas/router.hpp"
#include "protocol/message/task_message.hpp"

#include <map>
#include <optional>
#include <string>

namespace umbel {

/// What a queue of `task_queues` is bound to.
struct known_queue {
  std::string exchange;
  std::string exchange_type{"direct"};
  std::string routing_key;
  std::optional<umbel::delivery_mode> delivery_mode = {};
};

struct routing {
  std::string default_queue{"celery"}; ///< task_default_queue
  router routes = {};                  ///< task_routes
  std::map<std::string, known_queue> queues = {}; ///< task_queues
  bool create_missing = true;          ///< task_create_missing_queues
  std::string missing_exchange_type{"direct"}; ///< of those
  std::optional<int> default_priority = {}; ///< task_default_priority
  bool inherit_priority = false;       ///< task_inherit_parent_priority
  /// task_default_delivery_mode
  umbel::delivery_mode delivery_mode = umbel::delivery_mode::persistent;

  /// Fills in where it goes, its priority, its delivery mode, its form, and headers of
  /// its route.
  /// @param call    has its task, its arguments and the form of its sender
  /// @param options of the call, by Celery's names
  /// @param parent_priority of the task that sends it, if one does
  /// @returns `not_found` for a queue that is missing from task_queues
  expected<void> address(task_call& call, const json::object& options,
                         std::optional<int> parent_priority = {}) const;

private:
  expected<void> choose_queue(task_call& call, const json::object& options,
                              const route* found) const;
};

/// Of settings that are known to be right, as JSON under Celery's names.
/// @returns `invalid_setting`
expected<routing> parse_routing(const json::object& settings);

/// The message of a call that has its address.
outgoing_message to_message(const task_call& call);

} // namespace umbel
