#include "protocol/broker/redis/address.hpp"

#include <charconv>

namespace umbel::redis {

namespace {

expected<int> parse_db(std::string_view text) {
  int db = 0;
  auto end = text.data() + text.size();
  auto [ptr, ec] = std::from_chars(text.data(), end, db);
  if (ec != std::errc{} || ptr != end || db < 0)
    return error{errc::invalid_setting, "the database in a Redis URL is a "
                                        "number from 0 up, not \""
                                            + std::string{text} + '"'};
  return db;
}

bool is_loopback(const std::string& host) {
  return host == "127.0.0.1" || host == "localhost" || host == "::1";
}

} // namespace

std::string address::str() const {
  url x;
  x.user = user;
  x.password = password;
  if (!socket_path.empty()) {
    x.scheme = "redis+socket";
    x.path = socket_path + "?virtual_host=" + std::to_string(db);
  } else {
    x.scheme = "redis";
    x.host = host;
    x.port = port;
    x.path = '/' + std::to_string(db);
  }
  return to_string(x);
}

bool address::same_database(const address& other) const {
  auto same_server = socket_path == other.socket_path;
  if (same_server && socket_path.empty())
    same_server = port == other.port
                  && (host == other.host
                      || (is_loopback(host) && is_loopback(other.host)));
  return same_server && db == other.db && user == other.user;
}

expected<address> to_address(const url& x) {
  address result;
  result.user = x.user;
  result.password = x.password;
  auto db = x.option("virtual_host", x.option("db"));
  if (x.scheme == "rediss")
    return error{errc::unsupported,
                 "TLS is not in this build: " + to_string(x)
                     + " needs it; use redis:// through a TLS tunnel"};
  if (x.scheme == "redis+socket" || x.scheme == "unix") {
    if (x.path.size() < 2)
      return error{errc::invalid_setting,
                   "a " + x.scheme + " URL needs the path of the socket: "
                       + x.scheme + ":///run/redis/redis.sock?virtual_host=0"};
    result.socket_path = x.path;
  } else if (x.scheme == "redis") {
    if (!x.host.empty())
      result.host = x.host;
    if (x.port != 0)
      result.port = x.port;
    if (x.path.size() > 1)
      db = x.path.substr(1);
  } else {
    return error{errc::invalid_setting,
                 "not a Redis URL: its scheme is " + x.scheme};
  }
  // Python's client takes "/0", as in virtual_host=/0.
  if (db.starts_with('/'))
    db.erase(0, 1);
  if (!db.empty()) {
    auto number = parse_db(db);
    if (!number)
      return number.error();
    result.db = *number;
  }
  return result;
}

} // namespace umbel::redis
