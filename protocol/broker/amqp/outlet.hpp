// The outlet: everything that a broker object does on RabbitMQ except consuming.
// A connection, opened when it is needed, with its publisher and its topology.
#pragma once

#include "protocol/broker/amqp/connection.hpp"
#include "protocol/broker/amqp/publisher.hpp"
#include "protocol/broker/amqp/topology.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace umbel::amqp {

class outlet {
public:
  /// Connects.
  static expected<outlet> open(const std::string& url,
                               const broker_options& options);

  /// The connection; it is opened if it is closed. Waits while RabbitMQ takes
  /// nothing in: it would answer nothing.
  expected<connection*> link();

  /// What has to go on while this waits for RabbitMQ to take something in.
  void set_meanwhile(std::function<void()> x);

  /// Its queues and exchanges. @pre `link` was successful
  topology& queues() noexcept {
    return *topology_;
  }

  /// Publishes; a queue that has vanished is declared once more.
  expected<void> send(std::span<const parcel> parcels);

  /// Publishes to whoever is there.
  /// @returns for each whether there was a queue for it
  expected<std::vector<bool>> send_anywhere(std::span<const parcel> parcels);

  /// Looks after the connection, if there is one.
  expected<void> serve();

  /// Until it is needed again: nobody will look after it.
  void close();

  /// For logs: "amqp://guest:**@localhost:5672//".
  const std::string& location() const noexcept {
    return location_;
  }

private:
  outlet(std::string url, const broker_options& options)
      : url_(std::move(url)),
        options_(std::make_unique<broker_options>(options)) {
  }

  expected<void> open_connection();
  expected<void> ready_to_publish();

  std::string url_;
  std::unique_ptr<broker_options> options_; // topology_ points at it
  std::string location_;
  std::function<void()> meanwhile_ = [] {};
  std::unique_ptr<connection> connection_;
  std::unique_ptr<publisher> publisher_; ///< from the first publish on
  std::unique_ptr<topology> topology_;
};

} // namespace umbel::amqp
