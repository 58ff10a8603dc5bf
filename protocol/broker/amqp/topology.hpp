// Queues, exchanges and bindings, as kombu declares them.
//
// What exists is taken as it is: RabbitMQ refuses to declare a queue with other
// arguments than it has, and peers may have chosen others. So each queue is
// asked for first, and created if it is missing. Created queues have what
// Celery gives them by the same settings (task_queues, task_default_queue_type,
// task_create_missing_queue_type, task_queue_max_priority), so that Python peers
// may declare them afterwards.
#pragma once

#include "protocol/broker/amqp/connection.hpp"

#include <cstddef>
#include <optional>
#include <set>
#include <string>

namespace umbel::amqp {

class topology {
public:
  /// `x` must outlive this.
  topology(connection& x, const broker_options& options)
      : connection_(&x), options_(&options) {
  }

  /// A task queue: durable, and bound as the options say, else to the direct
  /// exchange of its name. Done once for each queue.
  expected<void> declare(const std::string& queue);

  /// Ends a queue, with all that is in it. One that is not there has ended.
  expected<void> remove(const std::string& queue);

  /// A queue for dead letters, of bounded length.
  expected<void> declare_dead(const std::string& queue);

  /// The exchanges and queues that delay, and the way from there to `queue`.
  expected<void> declare_delay(const std::string& queue);

  /// One of Celery's exchanges for events, commands and answers, as kombu declares
  /// it if it is missing; any other must be there. Done once for each.
  /// @returns `not_found` if it is not there
  expected<void> declare_exchange(const std::string& name);

  /// To be declared again before it is used: it was found missing.
  void forget(const std::string& queue);

  /// Messages that wait; nothing if there is no such queue.
  expected<std::optional<size_t>> size(const std::string& queue);

private:
  expected<void> declare_levels();
  expected<void> make_task_queue(const std::string& name);
  expected<void> make_queue(const std::string& name, const amqp_table_t& args);
  expected<void> look_at_exchange(const std::string& name, const std::string& type);
  expected<void> make_exchange(const std::string& name, const std::string& type,
                               bool durable = true);
  expected<void> bind(const std::string& queue, const std::string& exchange,
                      const std::string& key);

  connection* connection_;
  const broker_options* options_;
  std::set<std::string> known_;
  std::set<std::string> exchanges_;
  std::set<std::string> delayed_; ///< queues that are bound to the exit
  bool levels_ = false;
};

} // namespace umbel::amqp
