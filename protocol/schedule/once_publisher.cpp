#include "protocol/schedule/once_publisher.hpp"

#include "protocol/broker/url.hpp"
#include "protocol/schedule/redis/redis_once_publisher.hpp"
#include "protocol/schedule/sqlite/sqlite_once_publisher.hpp"

namespace umbel::schedule {

expected<std::unique_ptr<once_publisher>>
once_publisher::open(const std::string& broker_url,
                     const broker_options& options) {
  auto url = parse_url(broker_url);
  if (url && sqlite::is_sqlite(url->scheme))
    return open_sqlite_once_publisher(broker_url, options);
  return open_redis_once_publisher(broker_url, options);
}

} // namespace umbel::schedule
