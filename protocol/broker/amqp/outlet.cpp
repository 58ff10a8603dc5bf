#include "protocol/broker/amqp/outlet.hpp"

#include <algorithm>

namespace umbel::amqp {

namespace {

constexpr auto keeping = "use the connection";

} // namespace

expected<outlet> outlet::open(const std::string& url,
                              const broker_options& options) {
  outlet result{url, options};
  if (auto link = result.link(); !link)
    return link.error();
  return result;
}

expected<connection*> outlet::link() {
  if (!connection_)
    if (auto done = open_connection(); !done)
      return done.error();
  while (connection_->blocked()) {
    if (auto fine = connection_->while_blocked(keeping); !fine)
      return fine.error();
    amqp_maybe_release_buffers(connection_->handle());
    auto frame = connection_->next(connection::blocked_look, keeping);
    if (!frame)
      return frame.error();
  }
  return connection_.get();
}

void outlet::set_meanwhile(std::function<void()> x) {
  meanwhile_ = std::move(x);
  if (connection_)
    connection_->set_meanwhile(meanwhile_);
}

expected<void> outlet::open_connection() {
  auto opened
    = connection::open(url_, *options_, options_->node.str() + " publish");
  if (!opened)
    return opened.error();
  connection_ = std::move(*opened);
  connection_->set_meanwhile(meanwhile_);
  topology_ = std::make_unique<topology>(*connection_, *options_);
  location_ = connection_->location();
  return {};
}

expected<void> outlet::send(std::span<const parcel> parcels) {
  if (parcels.empty())
    return {};
  if (auto done = ready_to_publish(); !done)
    return done;
  auto routed = publisher_->publish(parcels);
  if (!routed)
    return routed.error();
  std::vector<parcel> returned;
  for (size_t i = 0; i < parcels.size(); ++i)
    if (!(*routed)[i] && !parcels[i].broadcast)
      returned.push_back(parcels[i]);
  if (returned.empty())
    return {};
  for (auto& x : returned) {
    if (!x.exchange.empty())
      continue;
    topology_->forget(x.routing_key);
    if (auto done = topology_->declare(x.routing_key); !done)
      return done;
  }
  routed = publisher_->publish(returned);
  if (!routed)
    return routed.error();
  auto lost = std::find(routed->begin(), routed->end(), false);
  if (lost == routed->end())
    return {};
  auto& x = returned[static_cast<size_t>(lost - routed->begin())];
  return connection_->failure(errc::not_found, "publish",
                              "there is no queue for routing key "
                                + x.routing_key);
}

expected<std::vector<bool>>
outlet::send_anywhere(std::span<const parcel> parcels) {
  if (auto done = ready_to_publish(); !done)
    return done.error();
  return publisher_->publish(parcels);
}

expected<void> outlet::serve() {
  if (!connection_)
    return {};
  for (;;) {
    amqp_maybe_release_buffers(connection_->handle());
    auto frame = connection_->next(std::chrono::milliseconds{0}, keeping);
    if (!frame)
      return frame.error();
    if (!*frame)
      return {};
  }
}

void outlet::close() {
  publisher_.reset();
  topology_.reset();
  connection_.reset();
}

expected<void> outlet::ready_to_publish() {
  if (auto opened = link(); !opened)
    return opened.error();
  if (publisher_)
    return {};
  auto made = publisher::make(*connection_, options_->socket_timeout);
  if (!made)
    return made.error();
  publisher_ = std::move(*made);
  return {};
}

} // namespace umbel::amqp
