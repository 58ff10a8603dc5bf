// Where a Redis database is and how to log in: a URL with Redis's defaults.
#pragma once

#include "protocol/broker/url.hpp"
#include "protocol/error.hpp"

#include <string>

namespace umbel::redis {

struct address {
  std::string host = "127.0.0.1";
  int port = 6379;
  std::string socket_path; ///< of a unix socket; host and port are then unused
  int db = 0;
  std::string user;
  std::string password;

  /// For logs and errors, without the password: "redis://:**@host:6379/0".
  std::string str() const;

  /// Whether both are the same database with the same user's rights.
  bool same_database(const address& other) const;
};

/// Reads redis://[[user]:password@][host][:port][/db], and
/// redis+socket:///path?virtual_host=db, also spelled unix:///path?db=n.
/// Other query options belong to Python's client and are passed over.
/// @returns `unsupported` for rediss://, `invalid_setting` for what cannot be
/// meant.
expected<address> to_address(const url& x);

} // namespace umbel::redis
