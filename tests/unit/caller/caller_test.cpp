#define CAF_SUITE caller

#include "actors/caller/caller.hpp"

#include "tests/unit/dsl.hpp"
#include "tests/unit/task/call_of.hpp"

#include "protocol/message/task_message.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// Against a broker and a result store in memory: the actor's thread is that of
/// the test, so `wait` must have something to return.
struct fixture : test_coordinator_fixture<> {
  fixture() {
    static int number = 0;
    auto url = "memory://caller-" + std::to_string(++number);
    life->broker_url = life->result_url = url;
    life->options.node = node_name{"celery@test"};
    life->options.incarnation = "i";
    store = *connect_result_store(url, {});
    auto options = life->options;
    options.queues = {queue_name{"q"}};
    broker = *connect_broker(url, options);
    uut = sys.spawn(caller, life, calls, caf::actor{});
    consume_messages();
  }

  ~fixture() {
    caf::anon_send_exit(uut, caf::exit_reason::kill);
    consume_messages();
  }

  uint64_t call(const std::string& id) {
    task_call x;
    x.task = "tasks.add";
    x.id = id;
    return calls->call(task_id{id}, {queue_name{"q"}, 0, make_task_message(x)},
                       [=, this](expected<std::string> y) {
                         told[id] = y ? *y : to_string(y.error());
                       });
  }

  void end(const std::string& id, const std::string& status) {
    result_record x{task_id{id}, "{\"status\": \"" + status + "\"}"};
    CAF_REQUIRE(store->store({&x, 1}));
  }

  /// One message of the actor: one round at most.
  void round() {
    if (sched.has_job())
      sched.run_once();
  }

  /// The ids of what was published.
  std::vector<std::string> published() {
    std::vector<std::string> result;
    auto batch = *broker->reserve(100);
    for (auto& x : batch)
      result.push_back(read_task_header(x.payload)->id.str());
    std::sort(result.begin(), result.end());
    return result;
  }

  std::shared_ptr<incarnation> life = std::make_shared<incarnation>();
  std::shared_ptr<call_table> calls = std::make_shared<call_table>();
  std::unique_ptr<result_store> store;
  std::unique_ptr<umbel::broker> broker;
  std::map<std::string, std::string> told;
  caf::actor uut;
};

using list = std::vector<std::string>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(caller_tests, fixture)

CAF_TEST(a call is published and its result handed over) {
  call("a");
  call("b");
  round();
  CAF_CHECK_EQUAL(published(), (list{"a", "b"}));
  CAF_CHECK(told.empty());
  end("a", "STARTED");
  end("a", "RETRY");
  round();
  CAF_CHECK(told.empty());
  end("b", "FAILURE");
  end("a", "SUCCESS");
  round();
  CAF_CHECK_EQUAL(told["a"], R"({"status": "SUCCESS"})");
  CAF_CHECK_EQUAL(told["b"], R"({"status": "FAILURE"})");
  consume_messages();
  CAF_CHECK(!calls->begin_round());
  CAF_CHECK(published().empty());
  call("c"); // it is woken again
  round();
  CAF_CHECK_EQUAL(published(), list{"c"});
}

CAF_TEST(what is stored is told to those who ask) {
  end("a", "ABORTED");
  list found;
  calls->ask({question_kind::stored, {"a", "b"}},
             [&](expected<list> x) { found = *x; });
  round();
  CAF_CHECK_EQUAL(found, (list{R"({"status": "ABORTED"})", ""}));
  consume_messages();
  CAF_CHECK(!sched.has_job()); // nobody waits: it sleeps
}

CAF_TEST(who calls a unique task that is there already is told so) {
  auto x = call_of("t", "c");
  x.headers = {{"unique_key", "k"}};
  const outgoing_message first{queue_name{"elsewhere"}, 0, make_task_message(x)};
  broker->publish({&first, 1}).value();
  x.id = "a";
  std::string answer;
  calls->call(task_id{"a"}, {queue_name{"q"}, 0, make_task_message(x)},
              [&](expected<std::string> y) { answer = y.error().what; });
  call("b");
  round();
  CAF_CHECK_EQUAL(answer, "task c has the unique key 't/k' already");
  CAF_CHECK_EQUAL(published(), list{"b"});
  end("b", "SUCCESS");
  round();
}

CAF_TEST(a forgotten call runs and nobody is told) {
  calls->forget(call("a"));
  auto number = call("b");
  round();
  CAF_CHECK_EQUAL(published(), (list{"a", "b"}));
  calls->forget(number);
  end("a", "SUCCESS");
  end("b", "SUCCESS");
  consume_messages();
  CAF_CHECK(told.empty());
  CAF_CHECK(!calls->begin_round());
}

CAF_TEST(the next caller finds what came while there was none) {
  call("a");
  call("b");
  round();
  CAF_CHECK_EQUAL(published().size(), 2u);
  caf::anon_send_exit(uut, caf::exit_reason::kill);
  consume_messages();
  call("c");
  end("a", "SUCCESS");
  uut = sys.spawn(caller, life, calls, caf::actor{});
  round(); // its start
  round();
  CAF_CHECK_EQUAL(told.count("a"), 1u);
  CAF_CHECK_EQUAL(published(), list{"c"});
  end("b", "SUCCESS");
  end("c", "SUCCESS");
  consume_messages();
  CAF_CHECK_EQUAL(told.size(), 3u);
}

CAF_TEST(without a result store every call fails at once) {
  life->result_url = "disabled://";
  call("a");
  consume_messages();
  CAF_CHECK(told["a"].starts_with("unsupported: "));
  CAF_CHECK(published().empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
