// Chooses a result store by its URL's scheme.
#include "protocol/backend/file/file_result_store.hpp"
#include "protocol/backend/memory/disabled_result_store.hpp"
#include "protocol/backend/memory/memory_result_listener.hpp"
#include "protocol/backend/memory/memory_result_store.hpp"
#include "protocol/backend/redis/redis_result_listener.hpp"
#include "protocol/backend/redis/redis_result_store.hpp"
#include "protocol/backend/result_store.hpp"
#include "protocol/backend/rpc/rpc_result_store.hpp"
#include "protocol/backend/sqlite/sqlite_result_listener.hpp"
#include "protocol/backend/sqlite/sqlite_result_store.hpp"
#include "protocol/broker/amqp/address.hpp"
#include "protocol/broker/scheme_advice.hpp"
#include "protocol/broker/sqlite/address.hpp"

namespace umbel {

namespace {

bool is_redis(std::string_view scheme) {
  return scheme == "redis" || scheme == "rediss" || scheme == "redis+socket"
         || scheme == "unix";
}

error unknown_scheme(const std::string& url, const std::string& scheme) {
  if (auto advice = advice_on_scheme(scheme); !advice.empty())
    return {errc::invalid_setting, "result backend URL: " + advice};
  // Only the scheme is shown: the rest may hold a password.
  auto shown = scheme == url ? std::string{"no scheme"} : "\"" + scheme + "\"";
  return {errc::invalid_setting,
          "result backend URL: " + shown
              + " is not a known scheme; use redis://host:port/db, "
                "redis+socket:///path, sqlite:///path, file:///folder, "
                "memory://name, amqp://host/vhost, rpc:// or disabled://"};
}

error kept_nowhere() {
  return {errc::unsupported, "with rpc:// a result is sent to whoever has sent "
                             "the task, and kept nowhere: it cannot be waited "
                             "for from here"};
}

/// What the writer of a worker opens itself.
error written_only() {
  return {errc::unsupported, "with amqp:// results are messages for whoever has "
                             "sent the task: they cannot be waited for from "
                             "here"};
}

} // namespace

expected<std::unique_ptr<result_store>>
connect_result_store(const std::string& url,
                     const result_store_options& options) {
  using result = expected<std::unique_ptr<result_store>>;
  auto scheme = url.substr(0, url.find("://"));
  if (url.empty() || scheme == "disabled")
    return result{std::make_unique<disabled_result_store>()};
  if (is_rpc(url))
    return kept_nowhere();
  if (amqp::is_amqp(scheme))
    return written_only();
  if (is_redis(scheme))
    return connect_redis_result_store(url, options);
  if (scheme == "memory")
    return connect_memory_result_store(url, options);
  if (sqlite::is_sqlite(scheme))
    return connect_sqlite_result_store(url, options);
  if (scheme == "file")
    return connect_file_result_store(url, options);
  return unknown_scheme(url, scheme);
}

expected<std::unique_ptr<result_listener>>
connect_result_listener(const std::string& url,
                        const result_store_options& options) {
  auto scheme = url.substr(0, url.find("://"));
  if (url.empty() || scheme == "disabled")
    return error{errc::unsupported, "there is no result store to wait for "
                                    "results at"};
  if (is_rpc(url))
    return kept_nowhere();
  if (amqp::is_amqp(scheme))
    return written_only();
  if (scheme == "memory")
    return connect_memory_result_listener(url, options);
  if (is_redis(scheme))
    return connect_redis_result_listener(url, options);
  if (sqlite::is_sqlite(scheme))
    return connect_sqlite_result_listener(url, options);
  if (scheme == "file")
    return connect_file_result_listener(url, options);
  return unknown_scheme(url, scheme);
}

} // namespace umbel
