// A real RabbitMQ server. It starts for seconds, so there is one for a process,
// with a virtual host for each scenario. Results are elsewhere, in memory.
#pragma once

#include "protocol/broker/amqp/connection.hpp"
#include "protocol/broker/amqp/table.hpp"
#include "tests/unit/broker/rabbitmq_server.hpp"
#include "tests/unit/broker/world.hpp"


namespace umbel::test {

class rabbitmq_world : public real_world {
public:
  rabbitmq_world() {
    static int count = 0;
    host_ = "test" + std::to_string(++count);
    auto host = "<<\"" + host_ + "\">>";
    server().ask("begin rabbit_vhost:add(" + host
                 + ", <<\"test\">>), ok = "
                   "rabbit_auth_backend_internal:set_permissions(<<\"guest\">>, "
                 + host
                 + ", <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"test\">>), "
                   "\"\" end");
    side_ = amqp::connection::open(url(), {}, "test").value();
  }

  ~rabbitmq_world() override {
    side_.reset();
    server().ask("begin ok = rabbit_vhost:delete(<<\"" + host_
                 + "\">>, <<\"test\">>), \"\" end");
  }

  std::string url() const override {
    return server().url(host_);
  }

  std::string result_url() const override {
    return "memory://results-" + host_;
  }

  void bind(const std::string& exchange, const std::string& key, bool topic,
            const queue_name& queue) override {
    auto state = side_->handle();
    using amqp::bytes, amqp::main_channel;
    amqp_queue_declare(state, main_channel, bytes(queue.str()), false, true,
                       false, false, amqp_empty_table);
    check("declare a queue");
    amqp_exchange_declare(state, main_channel, bytes(exchange),
                          amqp_cstring_bytes(topic ? "topic" : "direct"), false,
                          true, false, false, amqp_empty_table);
    check("declare an exchange");
    amqp_queue_bind(state, main_channel, bytes(queue.str()), bytes(exchange),
                    bytes(key), amqp_empty_table);
    check("bind");
  }

  void plant(const delivery_tag&, const queue_name&, const std::string&,
             std::chrono::milliseconds) override {
    throw std::logic_error("nobody but RabbitMQ can write into its ledger");
  }

  size_t unacknowledged() override {
    return std::stoul(ask_queues("X || [{messages_unacknowledged, X}]",
                                 "[messages_unacknowledged]"));
  }

protected:
  /// A sum over all queues, of what `pattern` takes from their `items`.
  std::string ask_queues(const std::string& pattern, const std::string& items) {
    return server().ask("integer_to_list(lists:sum([" + pattern
                        + " <- rabbit_amqqueue:info_all(<<\"" + host_
                        + "\">>, " + items + ")]))");
  }

private:
  static rabbitmq_server& server() {
    static rabbitmq_server instance;
    return instance;
  }

  void check(const char* doing) {
    side_->check(amqp_get_rpc_reply(side_->handle()), doing).value();
  }

  std::string host_;
  std::unique_ptr<amqp::connection> side_;
};

} // namespace umbel::test
