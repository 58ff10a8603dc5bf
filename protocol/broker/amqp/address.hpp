// Where RabbitMQ is and how to log in: a URL with AMQP's defaults.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::amqp {

struct address {
  std::string host = "localhost";
  int port = 5'672;
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";
  bool tls = false;
  std::optional<int> heartbeat; ///< seconds; the URL's goes before the setting's

  /// For logs and errors, without the password:
  /// "amqp://guest:**@localhost:5672//".
  std::string str() const;
};

/// Whether a URL with this scheme is RabbitMQ's.
bool is_amqp(std::string_view scheme);

/// Reads amqp://[user[:password]@][host][:port][/vhost][?heartbeat=seconds],
/// several of them separated by ';', the first to be tried first. amqps:// is
/// over TLS; pyamqp:// and librabbitmq:// are other names for amqp://.
/// A path that begins with a second slash, "//" or "/%2F", is the vhost "/".
/// @returns `invalid_setting` for what cannot be meant.
expected<std::vector<address>> to_addresses(std::string_view urls);

/// Finds what cannot be meant in the options of every connection: login method
/// and files of TLS. @returns `invalid_setting`
expected<void> check_options(const broker_options& options);

} // namespace umbel::amqp
