// Exchanges, queues and bindings, as an operator sees and changes them: what
// `umbel list bindings` and `umbel amqp` do that no worker needs. Used by one thread
// at a time.
#pragma once

#include "protocol/broker/broker.hpp"

#include <memory>
#include <string>
#include <vector>

namespace umbel {

/// What leads messages to a queue.
struct queue_binding {
  std::string queue;
  std::string exchange;
  std::string routing_key;
};

class queue_admin {
public:
  virtual ~queue_admin() = default;

  /// @param type direct, topic or fanout
  virtual expected<void> declare_exchange(const std::string& name,
                                          const std::string& type,
                                          bool durable) = 0;

  /// @param if_unused only if nothing is bound to it
  virtual expected<void> delete_exchange(const std::string& name,
                                         bool if_unused) = 0;

  /// @returns how many messages wait in it
  virtual expected<size_t> declare_queue(const std::string& name,
                                         bool durable) = 0;

  /// @param if_unused only if nobody consumes from it
  /// @param if_empty  only if nothing waits in it
  /// @returns how many messages were deleted with it
  virtual expected<size_t> delete_queue(const std::string& name, bool if_unused,
                                        bool if_empty) = 0;

  virtual expected<void> bind(const queue_binding& x) = 0;

  /// All of them, by exchange. @returns `unsupported` where the broker does not say
  virtual expected<std::vector<queue_binding>> bindings() = 0;
};

/// @returns errors as `connect_broker`; `unsupported` for brokers without exchanges
expected<std::unique_ptr<queue_admin>>
connect_queue_admin(const std::string& url, const broker_options& options);

} // namespace umbel
