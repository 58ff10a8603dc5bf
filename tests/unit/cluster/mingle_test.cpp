#define CAF_SUITE mingle

#include "actors/cluster/mingle.hpp"

#include "actors/consumer/messages.hpp"
#include "protocol/control/control_reply.hpp"

#include "tests/unit/dsl.hpp"

#include <deque>
#include <functional>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct seen {
  std::vector<publish_message> published;
  std::vector<task_id> learned;
};

caf::behavior everybody(caf::event_based_actor* self, seen* log) {
  return {
    [=](await_writer) {
      self->send(caf::actor_cast<caf::actor>(self->current_sender()),
                 writer_up{self});
    },
    [](list_revoked) {
      return revoked_list{{{"mine", timestamp{} + 500'000h}}};
    },
    [=](const learn_revoked& x) {
      log->learned.insert(log->learned.end(), x.ids.begin(), x.ids.end());
    },
    [=](const publish_message& x) { log->published.push_back(x); },
  };
}

/// Calls a function for each message.
class simulated_mailbox : public subscription {
public:
  using source = std::function<std::optional<std::string>()>;

  explicit simulated_mailbox(source next) : next_(std::move(next)) {
  }

  expected<std::optional<broadcast>>
  next(std::chrono::milliseconds) override {
    auto payload = next_();
    if (!payload)
      return std::optional<broadcast>{};
    return std::optional{
      broadcast{"reply.celery.pidbox", std::move(*payload)}};
  }

  void close() override {
    // nobody waits
  }

private:
  source next_;
};

struct fixture : test_coordinator_fixture<> {
  seen log;
  std::string address;
  std::deque<std::pair<std::string, json::value>> answers; ///< node, answer
  std::string ticket; ///< other than that of the question; empty: that one
  caf::actor other;
  caf::actor uut;
  mingle_options options;

  fixture() {
    options.node = node_name{"a@h"};
    options.open = [this](const std::string& x)
      -> expected<std::unique_ptr<subscription>> {
      address = x;
      return std::make_unique<simulated_mailbox>([this] { return next(); });
    };
    other = sys.spawn(everybody, &log);
  }

  ~fixture() {
    for (auto& hdl : {uut, other})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
  }

  /// What it hears next; if there is nothing, time passes.
  std::optional<std::string> next() {
    if (answers.empty()) {
      sched.clock().current_time += 300ms;
      return std::nullopt;
    }
    auto [node, x] = std::move(answers.front());
    answers.pop_front();
    if (node.empty())
      return "no envelope";
    auto reply_to = deref<caf::stateful_actor<mingle_state>>(uut).state.address;
    if (!ticket.empty())
      reply_to.ticket = ticket;
    return make_control_reply(node_name{node}, x, reply_to, 3);
  }

  void run_to_its_end() {
    uut = sys.spawn(mingle, options, other, other);
    consume_messages();
    CAF_CHECK(caf::actor_cast<caf::abstract_actor*>(uut)->getf(
      caf::abstract_actor::is_terminated_flag));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(mingle_tests, fixture)

CAF_TEST(it says hello) {
  run_to_its_end();
  CAF_REQUIRE_EQUAL(log.published.size(), 1u);
  CAF_CHECK_EQUAL(log.published[0].exchange, "celery.pidbox");
  auto x = parse_control_request(log.published[0].payload).value();
  CAF_CHECK_EQUAL(x.method, "hello");
  CAF_CHECK_EQUAL(x.arguments.at("from_node").as_string(), "a@h");
  CAF_CHECK(x.arguments.at("revoked").at("mine").at(0).is_double());
  CAF_REQUIRE(x.reply_to.has_value());
  CAF_CHECK_EQUAL(x.reply_to->routing_key, address);
  CAF_CHECK(log.learned.empty());
}

CAF_TEST(it takes over what others know) {
  json::object theirs{{"x", json::array{1.5, "x"}}, {"y", json::array{2.5, "y"}}};
  answers.emplace_back("b@h", json::object{{"revoked", theirs}, {"clock", 90}});
  answers.emplace_back("a@h", nullptr); // its own
  answers.emplace_back("", nullptr);
  answers.emplace_back("c@h", json::object{{"revoked", nullptr}, {"clock", "x"}});
  answers.emplace_back("d@h", json::object{{"error", "no"}});
  run_to_its_end();
  CAF_CHECK_GREATER(options.clock->value(), 90u);
  CAF_CHECK_EQUAL(log.learned.size(), 2u);
}

CAF_TEST(answers to other questions are none) {
  answers.emplace_back("b@h", json::object{{"clock", 90}});
  ticket = "another";
  run_to_its_end();
  CAF_CHECK_LESS(options.clock->value(), 90u);
}

CAF_TEST(without a broker it ends in peace) {
  options.open = [](const std::string&)
    -> expected<std::unique_ptr<subscription>> {
    return error{errc::unavailable, "nobody there"};
  };
  run_to_its_end();
  CAF_CHECK(log.published.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
