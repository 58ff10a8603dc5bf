#include "protocol/backend/amqp/amqp_result_store.hpp"

#include "protocol/broker/amqp/table.hpp"
#include "protocol/message/envelope.hpp"

#include <algorithm>

namespace umbel::amqp {

namespace {

/// Celery's name for it (result_exchange).
constexpr std::string_view result_exchange = "celeryresults";

envelope make_message(const result_record& x, serializer how) {
  envelope result;
  result.body = x.document;
  result.content_type = content_type_of(how);
  result.content_encoding = content_encoding_of(how);
  result.properties = {{"correlation_id", x.id.str()}, {"delivery_mode", 2}};
  return result;
}

} // namespace

std::string result_queue(const task_id& id) {
  auto name = id.str();
  std::erase(name, '-');
  return name;
}

amqp_result_store::amqp_result_store(std::unique_ptr<connection> link,
                                     std::chrono::seconds expires,
                                     serializer how)
    : connection_(std::move(link)), expires_(expires), how_(how) {
}

expected<std::unique_ptr<result_store>>
amqp_result_store::open(const std::string& url, broker_options options,
                        serializer how) {
  // Nobody looks after the connection between two results.
  options.heartbeat = std::chrono::seconds{0};
  auto link =
      connection::open(url, options, options.node.str() + " store results");
  if (!link)
    return link.error();
  std::unique_ptr<amqp_result_store> result{new amqp_result_store{
      std::move(*link), options.results.result_expires, how}};
  if (auto done = result->make_exchange(); !done)
    return done.error();
  auto out = publisher::make(*result->connection_, options.socket_timeout);
  if (!out)
    return out.error();
  result->publisher_ = std::move(*out);
  return std::unique_ptr<result_store>{std::move(result)};
}

std::string amqp_result_store::location() const {
  return connection_->location();
}

expected<void> amqp_result_store::store(std::span<const result_record> batch) {
  std::vector<std::string> messages;
  std::vector<parcel> parcels;
  messages.reserve(batch.size()); // parcels point into it
  for (auto& x : batch) {
    auto queue = result_queue(x.id);
    if (auto done = make_queue(queue); !done)
      return done;
    messages.push_back(to_text(make_message(x, how_)));
    parcels.push_back({"", std::move(queue), messages.back(), {}, false, {}});
  }
  auto routed = publisher_->publish(parcels);
  if (!routed)
    return routed.error();
  return {}; // a queue that has gone in the meantime went with its client
}

expected<std::optional<std::string>> amqp_result_store::fetch(const task_id&) {
  return std::optional<std::string>{};
}

expected<void> amqp_result_store::forget(const task_id& id) {
  if (auto done = connection_->open_side_channel(); !done)
    return done;
  auto queue = result_queue(id);
  amqp_queue_delete(connection_->handle(), side_channel, bytes(queue), false,
                    false);
  return connection_->check_side(amqp_get_rpc_reply(connection_->handle()),
                                 "delete queue " + queue);
}

expected<void> amqp_result_store::make_exchange() {
  if (auto done = connection_->open_side_channel(); !done)
    return done;
  amqp_exchange_declare(connection_->handle(), side_channel,
                        bytes(result_exchange), bytes("direct"), false, true,
                        false, false, amqp_empty_table);
  auto done =
      connection_->check_side(amqp_get_rpc_reply(connection_->handle()),
                              "declare exchange " + std::string{result_exchange});
  // As somebody else has made it: it is only bound to.
  if (!done && done.error().code == errc::refused)
    return {};
  return done;
}

expected<void> amqp_result_store::make_queue(const std::string& name) {
  if (auto done = connection_->open_side_channel(); !done)
    return done;
  json::object arguments;
  if (expires_.count() > 0)
    arguments["x-expires"] = std::chrono::milliseconds{expires_}.count();
  pool memory;
  amqp_queue_declare(connection_->handle(), side_channel, bytes(name), false,
                     true, false, true, to_table(arguments, memory));
  auto done = connection_->check_side(amqp_get_rpc_reply(connection_->handle()),
                                      "declare queue " + name);
  // Its client has made it before, with another time of expiry: it is its own.
  if (!done && done.error().code == errc::refused)
    return {};
  return done;
}

} // namespace umbel::amqp
