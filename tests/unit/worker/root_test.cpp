#define CAF_SUITE root

#include "tests/unit/dsl.hpp"

#include "actors/root.hpp"

#include <caf/all.hpp>

#include <memory>

using namespace std::chrono_literals;
using namespace umbel;

namespace {

using step = shutdown_ladder::step;

/// What the root told others, in order.
struct record {
  std::vector<std::string> orders;  ///< to the consumer
  std::vector<std::string> notices; ///< to the service manager
  bool ended = false;               ///< the tree
};

caf::behavior fake_consumer(caf::event_based_actor* self,
                            std::shared_ptr<record> log) {
  return {
      [=](drain) { log->orders.emplace_back("drain"); },
      [=](abandon) { log->orders.emplace_back("abandon"); },
      [=](list_unfinished) {
        log->orders.emplace_back("list");
        self->send(caf::actor_cast<caf::actor>(self->current_sender()),
                   unfinished_tasks{{{"tasks.sleep[1]", 2.0}}});
      },
  };
}

caf::behavior fake_tree(caf::event_based_actor* self,
                        std::shared_ptr<record> log) {
  self->set_exit_handler([=](caf::exit_msg& x) {
    log->ended = true;
    self->quit(std::move(x.reason));
  });
  return {[](int) {}};
}

struct fixture : test_coordinator_fixture<> {
  std::shared_ptr<record> log = std::make_shared<record>();
  caf::actor consumer;
  caf::actor top;

  fixture() {
    consumer = sys.spawn(fake_consumer, log);
  }

  void start(std::chrono::milliseconds soft = 0ms, bool on_idle = false) {
    root_options options;
    options.soft_shutdown_timeout = soft;
    options.soft_shutdown_on_idle = on_idle;
    options.notify = [log = log](const std::string& x) {
      log->notices.push_back(x.substr(0, x.find('\n')));
    };
    options.start_tree = [log = log](caf::event_based_actor* self) {
      return self->spawn(fake_tree, log);
    };
    top = sys.spawn(root, std::move(options));
    caf::anon_send(top, consumer_up{consumer});
    consume_messages();
  }

  void climb(step to, bool restarts = false) {
    caf::anon_send(top, shutdown_step{to, restarts});
    consume_messages();
  }

  void drained_now() {
    caf::anon_send(top, drained{});
    consume_messages();
  }

  void after(std::chrono::milliseconds x) {
    sched.advance_time(x);
    consume_messages();
  }

  std::string orders() {
    std::string result;
    for (auto& x : log->orders)
      result += (result.empty() ? "" : " ") + x;
    log->orders.clear();
    return result;
  }

  ~fixture() {
    caf::anon_send_exit(top, caf::exit_reason::kill);
    caf::anon_send_exit(consumer, caf::exit_reason::kill);
    consume_messages();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(root_tests, fixture)

CAF_TEST(warm: drains and ends with the last task) {
  start();
  climb(step::warm);
  CAF_CHECK_EQUAL(orders(), "drain list");
  CAF_CHECK_EQUAL(log->notices.front(), "STOPPING=1");
  CAF_CHECK_EQUAL(log->notices.back(), "STATUS=waiting for 1 task: "
                                       "tasks.sleep[1] (running for 2.0 s)");
  CAF_CHECK(!log->ended);
  drained_now();
  CAF_CHECK(log->ended);
}

CAF_TEST(it says again what it waits for) {
  start();
  climb(step::warm);
  orders();
  after(9s);
  CAF_CHECK_EQUAL(orders(), "");
  after(1s);
  CAF_CHECK_EQUAL(orders(), "list");
  after(10s);
  CAF_CHECK_EQUAL(orders(), "list");
}

CAF_TEST(a restart is announced as one) {
  start();
  climb(step::warm, true);
  CAF_CHECK_EQUAL(log->notices.front(), "RELOADING=1");
  log->notices.clear();
  climb(step::warm); // somebody wants an end
  CAF_CHECK_EQUAL(log->notices.front(), "STOPPING=1");
  CAF_CHECK_EQUAL(orders(), "drain list list");
}

CAF_TEST(cold: gives up at once if there is no soft timeout) {
  start();
  climb(step::cold);
  CAF_CHECK_EQUAL(orders(), "abandon");
  after(5s);
  CAF_CHECK(log->ended); // what could not be settled is left to the lease
}

CAF_TEST(soft: tasks have their time and then are given up) {
  start(3s);
  climb(step::cold);
  CAF_CHECK_EQUAL(orders(), "drain list");
  after(2900ms);
  CAF_CHECK_EQUAL(orders(), "");
  after(100ms);
  CAF_CHECK_EQUAL(orders(), "abandon");
}

CAF_TEST(soft: ends when the tasks have) {
  start(3s);
  climb(step::cold);
  after(1s);
  drained_now();
  CAF_CHECK(log->ended);
}

CAF_TEST(soft: takes its time on idle if it has to) {
  start(3s, true);
  climb(step::cold);
  drained_now();
  CAF_CHECK(!log->ended);
  after(3s);
  CAF_CHECK(log->ended);
  CAF_CHECK_EQUAL(orders(), "drain list");
}

CAF_TEST(soft: another signal gives up what runs) {
  start(30s);
  climb(step::cold);
  orders();
  climb(step::cancelled);
  CAF_CHECK_EQUAL(orders(), "abandon");
}

CAF_TEST(warm may turn soft) {
  start(3s);
  climb(step::warm);
  orders();
  climb(step::cold);
  CAF_CHECK_EQUAL(orders(), "list");
  after(3s);
  CAF_CHECK_EQUAL(orders(), "abandon");
}

CAF_TEST(a new consumer hears of the shutdown) {
  start();
  climb(step::warm);
  orders();
  caf::anon_send(top, consumer_up{consumer});
  consume_messages();
  CAF_CHECK_EQUAL(orders(), "drain");
  climb(step::cold);
  orders();
  caf::anon_send(top, consumer_up{consumer});
  consume_messages();
  CAF_CHECK_EQUAL(orders(), "abandon");
}

CAF_TEST(many unfinished tasks are named in part) {
  unfinished_tasks x;
  x.tasks.resize(12, {"t[1]", std::nullopt});
  x.tasks.front().running = 75.0;
  auto text = to_string(x);
  CAF_CHECK(text.starts_with("12 tasks: t[1] (running for 1 min 15 s), t[1]"));
  CAF_CHECK(text.ends_with(" and 2 more"));
}

CAF_TEST_FIXTURE_SCOPE_END()
