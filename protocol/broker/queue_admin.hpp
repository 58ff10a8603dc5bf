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

/// All of them, by exchange.
struct binding_list {
  std::vector<queue_binding> bindings;
  std::string limit = {}; ///< what is not among them, a line; empty: nothing
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

  /// Where the broker does not tell them, those of `broker_options::queues` that are
  /// there.
  virtual expected<binding_list> bindings() = 0;
};

/// @returns errors as `connect_broker`; `unsupported` for brokers without exchanges
expected<std::unique_ptr<queue_admin>>
connect_queue_admin(const std::string& url, const broker_options& options);

/// The bindings of any broker that keeps some. @returns errors as `connect_broker`
expected<binding_list> list_bindings(const std::string& url,
                                     const broker_options& options);

} // namespace umbel
