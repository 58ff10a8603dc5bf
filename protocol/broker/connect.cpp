// Chooses a broker by its URL's scheme.
#include "protocol/broker/broker.hpp"
#include "protocol/broker/memory/memory_broker.hpp"
#include "protocol/broker/redis/redis_broker.hpp"

namespace umbel {

expected<std::unique_ptr<broker>>
connect_broker(const std::string& url, const broker_options& options) {
  auto scheme = url.substr(0, url.find("://"));
  if (scheme == "redis" || scheme == "rediss" || scheme == "redis+socket"
      || scheme == "unix")
    return connect_redis_broker(url, options);
  if (scheme == "memory")
    return connect_memory_broker(url, options);
  // Only the scheme is shown: the rest may hold a password.
  auto shown = scheme == url ? std::string{"no scheme"} : "\"" + scheme + "\"";
  return error{errc::invalid_setting,
               "broker URL: " + shown
                   + " is not a known scheme; use redis://host:port/db, "
                     "redis+socket:///path or memory://name"};
}

} // namespace umbel
