#include "protocol/broker/queue_admin.hpp"

#include "protocol/broker/amqp/address.hpp"
#include "protocol/broker/amqp/amqp_queue_admin.hpp"
#include "protocol/broker/filesystem/exchange.hpp"
#include "protocol/broker/redis/redis_queue_admin.hpp"
#include "protocol/broker/sqlite/address.hpp"
#include "protocol/broker/sqlite/queues.hpp"

namespace umbel {

expected<std::unique_ptr<queue_admin>>
connect_queue_admin(const std::string& url, const broker_options& options) {
  auto scheme = url.substr(0, url.find("://"));
  if (amqp::is_amqp(scheme))
    return connect_amqp_queue_admin(url, options);
  if (scheme.starts_with("redis") || scheme == "unix")
    return connect_redis_queue_admin(url, options);
  return error{errc::unsupported,
               "over " + scheme
                 + ":// there are no exchanges to be seen or changed"};
}

expected<binding_list> list_bindings(const std::string& url,
                                     const broker_options& options) {
  auto scheme = url.substr(0, url.find("://"));
  if (sqlite::is_sqlite(scheme))
    return sqlite::list_bindings(url);
  if (scheme == "filesystem")
    return filesystem::list_bindings(url, options);
  auto admin = connect_queue_admin(url, options);
  if (!admin)
    return admin.error();
  return (*admin)->bindings();
}

} // namespace umbel
