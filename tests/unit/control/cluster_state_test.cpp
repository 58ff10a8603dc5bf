#define CAF_SUITE cluster_state

#include "protocol/control/cluster_state.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

const timestamp start{1'000'000s};

event make(const char* type, json::object fields,
           const char* node = "celery@a") {
  event x;
  x.type = type;
  x.node = node_name{node};
  x.fields = std::move(fields);
  return x;
}

event of_task(const char* type, const char* id, json::object fields = {}) {
  fields["uuid"] = id;
  return make(type, std::move(fields));
}

} // namespace

CAF_TEST(a worker comes and goes) {
  cluster_state x;
  x.apply(make("worker-online", {{"freq", 2.0}, {"pid", 7}, {"active", 0}}),
          start);
  x.apply(make("worker-heartbeat", {{"freq", 2.0},
                                    {"active", 3},
                                    {"processed", 9},
                                    {"loadavg", {0.5, 0.25, 0.125}},
                                    {"sw_ident", "umbel"},
                                    {"sw_ver", "1"},
                                    {"sw_sys", "Linux"}}),
          start + 2s);
  auto all = x.workers();
  CAF_REQUIRE_EQUAL(all.size(), 1u);
  CAF_CHECK_EQUAL(all[0]->active, 3u);
  CAF_CHECK_EQUAL(all[0]->processed, 9u);
  CAF_CHECK_EQUAL(all[0]->pid, 7);
  CAF_CHECK_EQUAL(all[0]->load[2], 0.125);
  CAF_CHECK_EQUAL(all[0]->software, "umbel 1 (Linux)");
  CAF_CHECK(all[0]->online(start + 5s));
  CAF_CHECK(!all[0]->online(start + 6s)); // two heartbeats are missing
  x.apply(make("worker-offline", {}), start + 3s);
  CAF_CHECK(!x.workers()[0]->online(start + 3s));
  x.apply(make("worker-heartbeat", {{"freq", 2.0}}), start + 4s);
  CAF_CHECK(x.workers()[0]->online(start + 4s));
}

CAF_TEST(a task and its states) {
  cluster_state x;
  auto sent = of_task("task-sent", "1", {{"name", "t"}, {"queue", "q"}});
  sent.node = node_name{"gen1@client"};
  x.apply(sent, start);
  CAF_CHECK_EQUAL(x.find("1")->state, "PENDING");
  CAF_CHECK(x.find("1")->node.empty());
  x.apply(of_task("task-received", "1", {{"name", "t"}, {"args", "(1,)"}}),
          start);
  CAF_CHECK_EQUAL(x.find("1")->state, "RECEIVED");
  CAF_CHECK_EQUAL(x.find("1")->node.str(), "celery@a");
  x.apply(of_task("task-started", "1"), start);
  x.apply(of_task("task-progress", "1", {{"current", 3}}), start);
  CAF_CHECK_EQUAL(x.find("1")->state, "PROGRESS");
  CAF_CHECK_EQUAL(x.find("1")->fact("current"), "3");
  x.apply(of_task("task-succeeded", "1", {{"result", "'x'"}, {"runtime", 0.5}}),
          start + 1s);
  auto task = x.find("1");
  CAF_CHECK_EQUAL(task->state, "SUCCESS");
  CAF_CHECK_EQUAL(task->name, "t");
  CAF_CHECK_EQUAL(task->fact("args"), "(1,)");
  CAF_CHECK_EQUAL(task->fact("result"), "'x'");
  CAF_CHECK_EQUAL(task->fact("runtime"), "0.5");
  CAF_CHECK_EQUAL(task->fact("queue"), "q");
  CAF_CHECK(task->changed == start + 1s);
  CAF_CHECK_EQUAL(x.counts().received, 1u);
  CAF_CHECK_EQUAL(x.counts().succeeded, 1u);
}

CAF_TEST(events that come late change no state back) {
  cluster_state x;
  x.apply(of_task("task-succeeded", "1", {{"result", "1"}}), start);
  x.apply(of_task("task-received", "1", {{"name", "t"}}), start);
  x.apply(of_task("task-started", "1"), start);
  CAF_CHECK_EQUAL(x.find("1")->state, "SUCCESS");
  CAF_CHECK_EQUAL(x.find("1")->name, "t");
  x.apply(of_task("task-started", "2"), start);
  x.apply(of_task("task-retried", "2", {{"exception", "E()"}}), start);
  CAF_CHECK_EQUAL(x.find("2")->state, "RETRY");
  x.apply(of_task("task-received", "2"), start);
  CAF_CHECK_EQUAL(x.find("2")->state, "RECEIVED");
}

CAF_TEST(memory is bounded) {
  cluster_state x;
  for (size_t i = 0; i < cluster_state::tasks_max + 10; ++i)
    x.apply(of_task("task-received", std::to_string(i).c_str()), start);
  CAF_CHECK_EQUAL(x.task_count(), cluster_state::tasks_max);
  CAF_CHECK(x.find("9") == nullptr);
  CAF_CHECK(x.find("10") != nullptr);
  CAF_CHECK_EQUAL(x.tasks(1)[0]->id,
                  std::to_string(cluster_state::tasks_max + 9));
  for (size_t i = 0; i < cluster_state::workers_max + 1; ++i)
    x.apply(make("worker-online", {}, std::to_string(i).c_str()),
            start + std::chrono::seconds{i});
  CAF_CHECK_EQUAL(x.workers().size(), cluster_state::workers_max);
  json::object many{{"uuid", "x"}, {"text", std::string(100'000, 'x')}};
  for (int i = 0; i < 100; ++i)
    many["fact" + std::to_string(i)] = i;
  x.apply(make("task-started", many), start);
  auto task = x.find("x");
  CAF_CHECK_EQUAL(task->facts.size(), cluster_state::facts_max);
  CAF_CHECK_EQUAL(task->fact("text").size(), cluster_state::text_max);
  // Names and ids as long as others like are none.
  x.apply(of_task("task-started", std::string(1'000, 'x').c_str()), start);
  x.apply(make("worker-online", {}, std::string(1'000, 'x').c_str()), start);
  CAF_CHECK_EQUAL(x.workers().size(), cluster_state::workers_max);
  CAF_CHECK_EQUAL(x.task_count(), cluster_state::tasks_max);
}

CAF_TEST(rates) {
  cluster_state x;
  CAF_CHECK_EQUAL(x.tasks_per_second(start), 0.0);
  for (int i = 0; i < 50; ++i)
    x.apply(of_task("task-succeeded", std::to_string(i).c_str()),
            start + i * 100ms);
  CAF_CHECK_EQUAL(x.tasks_per_second(start + 5s), 10.0);
  CAF_CHECK_EQUAL(x.events_per_second(start + 5s), 10.0);
  CAF_CHECK_EQUAL(x.tasks_per_second(start + 7s), 6.0);
  CAF_CHECK_EQUAL(x.tasks_per_second(start + 60s), 0.0);
}

CAF_TEST(whatever is said is borne) {
  cluster_state x;
  for (json::value odd : {json::value{}, json::value(-1), json::value("x"),
                          json::value(1e300), json::value(json::array{1})}) {
    x.apply(make("worker-heartbeat", {{"freq", odd},
                                      {"active", odd},
                                      {"processed", odd},
                                      {"pid", odd},
                                      {"loadavg", odd},
                                      {"sw_ident", odd}}),
            start);
    x.apply(make("task-failed", {{"uuid", odd}, {"name", odd}}), start);
    x.apply(of_task("task-failed", "1", {{"exception", odd}, {"name", odd}}),
            start);
  }
  x.apply(make("task-", {{"uuid", "2"}}), start);
  x.apply(make("other", {}), start);
  x.apply(make("worker-online", {}, ""), start);
  CAF_CHECK_EQUAL(x.workers().size(), 1u);
}
