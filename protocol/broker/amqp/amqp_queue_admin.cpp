#include "protocol/broker/amqp/amqp_queue_admin.hpp"

#include "protocol/broker/amqp/connection.hpp"
#include "protocol/broker/amqp/table.hpp"
#include "protocol/broker/amqp/topology.hpp"
#include "protocol/broker/queue_binding.hpp"

#include <algorithm>
#include <utility>

namespace umbel {

namespace amqp {

namespace {

class admin final : public queue_admin {
public:
  admin(std::unique_ptr<connection> to, const broker_options& options)
      : to_(std::move(to)), options_(options) {
  }

  expected<void> declare_exchange(const std::string& name,
                                  const std::string& type,
                                  bool durable) override {
    if (auto open = to_->open_side_channel(); !open)
      return open;
    amqp_exchange_declare(to_->handle(), side_channel, bytes(name), bytes(type),
                          false, durable, false, false, amqp_empty_table);
    return check("declare exchange " + name);
  }

  expected<void> delete_exchange(const std::string& name,
                                 bool if_unused) override {
    if (auto open = to_->open_side_channel(); !open)
      return open;
    amqp_exchange_delete(to_->handle(), side_channel, bytes(name), if_unused);
    return check("delete exchange " + name);
  }

  expected<size_t> declare_queue(const std::string& name,
                                 bool durable) override {
    if (auto open = to_->open_side_channel(); !open)
      return open.error();
    auto* ok = amqp_queue_declare(to_->handle(), side_channel, bytes(name),
                                  false, durable, false, false,
                                  amqp_empty_table);
    if (auto done = check("declare queue " + name); !done)
      return done.error();
    return ok->message_count;
  }

  expected<size_t> delete_queue(const std::string& name, bool if_unused,
                                bool if_empty) override {
    if (auto open = to_->open_side_channel(); !open)
      return open.error();
    auto* ok = amqp_queue_delete(to_->handle(), side_channel, bytes(name),
                                 if_unused, if_empty);
    if (auto done = check("delete queue " + name); !done)
      return done.error();
    return ok->message_count;
  }

  expected<void> bind(const queue_binding& x) override {
    if (auto open = to_->open_side_channel(); !open)
      return open;
    amqp_queue_bind(to_->handle(), side_channel, bytes(x.queue),
                    bytes(x.exchange), bytes(x.routing_key), amqp_empty_table);
    return check("bind queue " + x.queue + " to " + x.exchange);
  }

  /// AMQP has no question for them. (Celery asks the management plugin, or nobody.)
  expected<binding_list> bindings() override {
    binding_list to;
    topology known{*to_, options_};
    for (auto& queue : options_.queues) {
      auto waiting = known.size(queue.str());
      if (!waiting)
        return waiting.error();
      auto way = binding_of(options_, queue.str());
      if (*waiting)
        to.bindings.push_back({queue.str(), way.exchange, way.routing_key});
    }
    std::ranges::sort(to.bindings, {}, &queue_binding::exchange);
    to.limit = to_->location()
               + " does not tell its bindings: these are what the settings say "
                 "of queues that are there; rabbitmqctl list_bindings tells all";
    return to;
  }

private:
  expected<void> check(const std::string& doing) {
    return to_->check_side(amqp_get_rpc_reply(to_->handle()), doing);
  }

  std::unique_ptr<connection> to_;
  const broker_options options_;
};

} // namespace

} // namespace amqp

expected<std::unique_ptr<queue_admin>>
connect_amqp_queue_admin(const std::string& url,
                         const broker_options& options) {
  auto opened = amqp::connection::open(url, options, options.node.str());
  if (!opened)
    return opened.error();
  std::unique_ptr<queue_admin> to
    = std::make_unique<amqp::admin>(std::move(*opened), options);
  return to;
}

} // namespace umbel
