// Chooses a broker by its URL's scheme.
#include "protocol/broker/amqp/address.hpp"
#include "protocol/broker/amqp/amqp_broker.hpp"
#include "protocol/broker/amqp/amqp_subscription.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/broker/fanout.hpp"
#include "protocol/broker/filesystem/filesystem_broker.hpp"
#include "protocol/broker/filesystem/filesystem_subscription.hpp"
#include "protocol/broker/memory/memory_broker.hpp"
#include "protocol/broker/memory/memory_subscription.hpp"
#include "protocol/broker/polled.hpp"
#include "protocol/broker/redis/polled.hpp"
#include "protocol/broker/redis/redis_broker.hpp"
#include "protocol/broker/redis/redis_mailbox.hpp"
#include "protocol/broker/redis/redis_subscription.hpp"
#include "protocol/broker/scheme_advice.hpp"
#include "protocol/broker/sqlite/sqlite_broker.hpp"
#include "protocol/broker/sqlite/sqlite_subscription.hpp"
#include "protocol/broker/subscription.hpp"

namespace umbel {

namespace {

std::string scheme_of(const std::string& url) {
  return url.substr(0, url.find("://"));
}

bool is_redis(const std::string& scheme) {
  return scheme == "redis" || scheme == "rediss" || scheme == "redis+socket"
         || scheme == "unix";
}

} // namespace

expected<std::unique_ptr<broker>>
connect_broker(const std::string& url, const broker_options& options) {
  auto scheme = scheme_of(url);
  if (is_redis(scheme))
    return connect_redis_broker(url, options);
  if (amqp::is_amqp(scheme))
    return connect_amqp_broker(url, options);
  if (scheme == "memory")
    return connect_memory_broker(url, options);
  if (sqlite::is_sqlite(scheme))
    return connect_sqlite_broker(url, options);
  if (scheme == "filesystem")
    return connect_filesystem_broker(url, options);
  if (auto advice = advice_on_scheme(scheme); !advice.empty())
    return error{errc::invalid_setting, "broker URL: " + advice};
  // Only the scheme is shown: the rest may hold a password.
  auto shown = scheme == url ? std::string{"no scheme"} : "\"" + scheme + "\"";
  return error{errc::invalid_setting,
               "broker URL: " + shown
                   + " is not a known scheme; use redis://host:port/db, "
                     "redis+socket:///path, amqp://user:password@host:port/vhost, "
                     "sqlite:///path, sqla+sqlite:///path, filesystem:// or "
                     "memory://name"};
}

bool can_be_polled(const std::string& url) {
  return is_redis(scheme_of(url));
}

expected<std::unique_ptr<polled_broker>>
connect_polled_broker(const std::string& url, const broker_options& options) {
  if (can_be_polled(url))
    return connect_polled_redis_broker(url, options);
  return error{errc::unsupported, "a broker of \"" + scheme_of(url)
                                      + "\" cannot be polled"};
}

bool keeps_unique_keys(const std::string& url) {
  auto scheme = scheme_of(url);
  return is_redis(scheme) || sqlite::is_sqlite(scheme) || scheme == "memory";
}

bool carries_gossip(const std::string& url) {
  return scheme_of(url) != "filesystem";
}

expected<std::unique_ptr<subscription>>
subscribe(const std::string& url, const broker_options& options,
          const std::string& exchange, const std::string& pattern,
          const broadcast_options& how) {
  auto scheme = scheme_of(url);
  if (is_redis(scheme))
    return subscribe_redis(url, options, exchange, pattern);
  if (amqp::is_amqp(scheme))
    return subscribe_amqp(url, options, exchange, pattern, how);
  if (sqlite::is_sqlite(scheme))
    return subscribe_sqlite(url, options, exchange, pattern);
  if (scheme == "filesystem")
    return subscribe_filesystem(url, options, exchange, pattern,
                                how.event_queue_prefix);
  if (scheme == "memory")
    return subscribe_memory(url, options, exchange, pattern);
  return std::unique_ptr<subscription>{};
}

expected<std::unique_ptr<subscription>>
open_mailbox(const std::string& url, const broker_options& options,
             const std::string& exchange, const std::string& key,
             const broadcast_options& how) {
  auto scheme = scheme_of(url);
  if (is_redis(scheme))
    return open_redis_mailbox(url, options, exchange, key);
  if (amqp::is_amqp(scheme))
    return open_amqp_mailbox(url, options, exchange, key, how);
  if (sqlite::is_sqlite(scheme))
    return subscribe_sqlite(
      url, options, mailbox_name(exchange, key), {},
      std::max(subscriber_lease,
               how.control.expires.value_or(subscriber_lease)));
  if (scheme == "filesystem")
    return open_filesystem_mailbox(url, options, exchange, key);
  if (scheme == "memory")
    return subscribe_memory(url, options, mailbox_name(exchange, key), {});
  return std::unique_ptr<subscription>{};
}

} // namespace umbel
