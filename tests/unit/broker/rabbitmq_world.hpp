// A real RabbitMQ server. It starts for seconds, so there is one for a process,
// and each scenario begins with the queues and exchanges of all scenarios
// deleted.
#pragma once

#include "protocol/broker/amqp/connection.hpp"
#include "protocol/broker/amqp/dead_letters.hpp"
#include "protocol/broker/amqp/table.hpp"
#include "tests/unit/broker/rabbitmq_server.hpp"
#include "tests/unit/broker/world.hpp"

#include <thread>

namespace umbel::test {

class rabbitmq_world {
public:
  rabbitmq_world() : side_(open_side()) {
    for (std::string name :
         {"p", "q", "r", "s", "next", "other", "quorum", "urgent"}) {
      for (auto& queue : {name, amqp::dead_queue(name)})
        amqp_queue_delete(side_->handle(), amqp::main_channel,
                          amqp::bytes(queue), false, false);
      amqp_exchange_delete(side_->handle(), amqp::main_channel,
                           amqp::bytes(name), false);
    }
  }

  std::string url() const {
    return server().url();
  }

  broker_options options(const std::string& node,
                         std::vector<std::string> queues = {"q"}) const {
    broker_options result;
    result.node = node_name{node};
    result.incarnation = node + "-first";
    for (auto& queue : queues)
      result.queues.emplace_back(std::move(queue));
    return result;
  }

  std::unique_ptr<broker> connect(const broker_options& options) const {
    return connect_broker(url(), options).value();
  }

  std::unique_ptr<broker> connect(const std::string& node) const {
    return connect(options(node));
  }

private:
  static rabbitmq_server& server() {
    static rabbitmq_server instance;
    return instance;
  }

  static std::unique_ptr<amqp::connection> open_side() {
    return amqp::connection::open(server().url(), {}, "test").value();
  }

  std::unique_ptr<amqp::connection> side_;
};

} // namespace umbel::test
