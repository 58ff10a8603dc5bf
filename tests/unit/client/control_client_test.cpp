#define CAF_SUITE control_client

#include "protocol/client/control_client.hpp"

#include "protocol/control/control_reply.hpp"

#include "tests/unit/dsl.hpp"

#include <thread>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// Nodes that answer each command with its arguments, on a thread.
class nodes {
public:
  nodes(const std::string& url, std::vector<std::string> names)
      : commands_(subscribe(url, {}, control_exchange).value()),
        broker_(connect_broker(url, {}).value()),
        thread_([this, names = std::move(names)] { run(names); }) {
  }

  ~nodes() {
    commands_->close();
    thread_.join();
  }

private:
  void run(const std::vector<std::string>& names) {
    while (auto heard = commands_->next(1h).value()) {
      auto x = parse_control_request(heard->payload).value();
      for (auto& name : names) {
        node_name node{name};
        if (!x.is_for(node) || !x.reply_to)
          continue;
        say(node, "not this", *x.reply_to, "another ticket");
        say(node, x.arguments, *x.reply_to, x.reply_to->ticket);
      }
    }
  }

  void say(const node_name& node, const json::value& what, reply_address to,
           const std::string& ticket) {
    to.ticket = ticket;
    broker_
      ->publish(to.exchange, to.routing_key,
                make_control_reply(node, what, to, 1), 0)
      .value();
  }

  std::unique_ptr<subscription> commands_;
  std::unique_ptr<broker> broker_;
  std::thread thread_;
};

control_request ping() {
  control_request x;
  x.method = "ping";
  x.arguments = {{"x", 1}};
  return x;
}

control_client client(const std::string& url) {
  control_client_options options;
  options.broker_url = url;
  auto x = control_client::connect(options);
  if (!x)
    CAF_FAIL("unexpected error: " << x.error().what);
  return std::move(*x);
}

} // namespace

CAF_TEST(nobody is there) {
  auto x = client("memory://control-nobody");
  // Whoever is not there need not be waited for.
  auto answers = x.ask(ping(), 1h);
  CAF_REQUIRE(answers.has_value());
  CAF_CHECK(answers->empty());
}

CAF_TEST(everybody has answered) {
  nodes a{"memory://control-all", {"celery@a"}};
  nodes b{"memory://control-all", {"celery@b"}};
  auto x = client("memory://control-all");
  for (int i = 0; i < 3; ++i) {
    auto answers = x.ask(ping(), 1h);
    CAF_REQUIRE(answers.has_value());
    CAF_REQUIRE_EQUAL(answers->size(), 2u);
    CAF_CHECK_EQUAL(to_json((*answers)[0].value), R"({"x": 1})");
    CAF_CHECK((*answers)[0].node != (*answers)[1].node);
  }
}

CAF_TEST(those who are named) {
  nodes a{"memory://control-named", {"celery@a"}};
  nodes b{"memory://control-named", {"celery@b"}};
  auto x = client("memory://control-named");
  auto question = ping();
  question.destination = std::vector<std::string>{"celery@b"};
  auto answers = x.ask(question, 1h);
  CAF_REQUIRE(answers.has_value());
  CAF_REQUIRE_EQUAL(answers->size(), 1u);
  CAF_CHECK_EQUAL((*answers)[0].node.str(), "celery@b");
  question.destination = std::vector<std::string>{"celery@c"};
  CAF_CHECK(x.ask(question, 50ms).value().empty());
}
