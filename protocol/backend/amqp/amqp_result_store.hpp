// Results as messages on RabbitMQ, each task's in a queue of its own: `amqp://`, as
// Celery had it until version 4 and clients in other languages still expect it
// (celery-node, node-celery). Celery 5's own clients do not read them; for those
// there is rpc://.
//
//  1. the queue has the task's id as its name, without dashes; it is durable, goes
//     with its last consumer, or after result_expires unused;
//  2. an exchange `celeryresults` is there, because clients bind their queues to it;
//  3. the message is persistent, its correlation id the task's, its body the document.
//
// Every state is a message of its own, and stays until the client takes it.
#pragma once

#include "protocol/backend/result_store.hpp"
#include "protocol/broker/amqp/connection.hpp"
#include "protocol/broker/amqp/publisher.hpp"
#include "protocol/message/content.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace umbel::amqp {

/// "23dbb7b2-..." is kept in the queue "23dbb7b2...".
std::string result_queue(const task_id& id);

class amqp_result_store final : public result_store {
public:
  /// Connects, and sees to the exchange.
  /// @param url as of a broker
  /// @param options how to connect, and when results expire
  /// @param how what the documents are written in
  /// @returns `invalid_setting`, `refused`, `unavailable` or `timeout`
  static expected<std::unique_ptr<result_store>>
  open(const std::string& url, broker_options options, serializer how);

  std::string location() const override;

  /// Confirmed by RabbitMQ when it returns. The queues are made first, one after
  /// another: a round trip each.
  expected<void> store(std::span<const result_record> batch) override;

  /// Nothing: to look at a message is to take it from whoever waits for it.
  expected<std::optional<std::string>> fetch(const task_id& id) override;

  expected<void> forget(const task_id& id) override;

private:
  amqp_result_store(std::unique_ptr<connection> link,
                    std::chrono::seconds expires, serializer how);

  expected<void> make_exchange();
  expected<void> make_queue(const std::string& name);

  std::unique_ptr<connection> connection_;
  std::unique_ptr<publisher> publisher_; // of connection_
  std::chrono::seconds expires_;         ///< 0: never
  serializer how_;
};

} // namespace umbel::amqp
