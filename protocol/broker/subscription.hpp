// Receives what is said to all who listen (contract sections 3.7 and 4): commands
// to workers, and events; and what is said to one: the answers to commands.
#pragma once

#include "protocol/broker/broker.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace umbel {

/// The queue by which somebody listens, where it is one (RabbitMQ). None: for ever.
struct listener_queue {
  std::optional<std::chrono::milliseconds> expires; ///< after its connection's end
  std::optional<std::chrono::milliseconds> ttl;     ///< of a message in it
  bool exclusive = false;
  bool durable = false;
};

/// How nodes speak to all. Defaults are Celery's.
struct broadcast_options {
  std::string control_exchange{"celery.pidbox"};
  std::string reply_exchange{"reply.celery.pidbox"};
  listener_queue control{std::chrono::seconds{10}, std::chrono::seconds{300}};
  listener_queue events{std::chrono::seconds{60}, std::chrono::seconds{5}};
  std::string event_queue_prefix{"celeryev"};
};

/// What was broadcast, or said to one who has a mailbox.
struct broadcast {
  std::string exchange; ///< as it was subscribed to
  std::string payload;  ///< the envelope
};

/// One connection that listens. What is broadcast while there is none is missed.
class subscription {
public:
  virtual ~subscription() = default;

  /// The next message, or nothing when `timeout` has passed.
  /// @returns an error when the connection is lost; it is then finished.
  virtual expected<std::optional<broadcast>>
  next(std::chrono::milliseconds timeout) = 0;

  /// Listens, over the same connection, to what is said through another exchange,
  /// or with other keys, too: exchange and pattern are as for `subscribe`.
  /// @pre `carries_gossip`
  virtual expected<void> add(const std::string& exchange,
                             const std::string& pattern) {
    return error{errc::unsupported, "cannot listen to the exchange " + exchange
                                      + " (" + pattern + ") as well"};
  }

  /// Ends the wait in `next`, and every later one at once. From any thread.
  virtual void close() = 0;
};

/// Whether nodes hear each other over the broker at `url`, so that a subscription
/// to commands can listen to the events of workers as well (`subscription::add`), and
/// a node that starts can ask the others: not through folders (filesystem://).
bool carries_gossip(const std::string& url);

/// Subscribes to what is broadcast through an exchange.
/// @param pattern for an exchange of events, the keys that are wanted: "#" (all),
///                "worker.#". Brokers that have no keys there deliver all. Empty
///                for a fanout exchange.
/// @returns null where nothing is broadcast; errors as `connect_broker`
expected<std::unique_ptr<subscription>>
subscribe(const std::string& url, const broker_options& options,
          const std::string& exchange, const std::string& pattern = {},
          const broadcast_options& how = {});

/// Opens a mailbox: receives what is published through the direct exchange
/// `exchange` with the routing key `key`, from now on until the object goes.
/// @param exchange "reply.celery.pidbox"
/// @param key      unique to this mailbox
/// @returns null where nothing is broadcast; errors as `connect_broker`
expected<std::unique_ptr<subscription>>
open_mailbox(const std::string& url, const broker_options& options,
             const std::string& exchange, const std::string& key,
             const broadcast_options& how = {});

} // namespace umbel
