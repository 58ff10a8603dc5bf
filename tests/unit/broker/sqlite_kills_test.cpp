// Processes that are killed: at random, and within a commit.
#define CAF_SUITE sqlite_kills

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/log_writes.hpp"
#include "tests/unit/broker/sqlite_world.hpp"

#include <random>
#include <set>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace umbel;
using namespace umbel::test;
using real_time = std::chrono::steady_clock;

namespace {

constexpr int total = 3'000;
constexpr int kills = 40;

/// A worker in a process of its own, until nothing is left or it is killed.
/// Every settlement has a result and a follow-up.
[[noreturn]] void work(const sqlite_world& w, int life) {
  auto options = w.options("worker@h");
  options.incarnation = "life-" + std::to_string(life);
  auto x = connect_broker(w.patient_url(), options);
  if (!x)
    _exit(1);
  auto& b = **x;
  for (;;) {
    auto ys = b.reserve(17);
    if (!ys || !b.renew({}) || !b.recover())
      _exit(2);
    std::vector<settlement> batch;
    for (auto& y : *ys) {
      auto id = id_of(y.payload);
      batch.push_back(settled(y));
      batch.back().result = success(id);
      batch.back().publish = {to("next", id)};
    }
    if (!b.settle(batch))
      _exit(3);
    if (ys->empty() && !b.wait(5ms))
      _exit(4);
  }
}

/// @param writes after so many writes into the log it dies in the middle of one
pid_t start_worker(const sqlite_world& w, int life, int writes = 0) {
  auto pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); // if the test fails
    if (writes > 0)
      die_in_log_write(writes);
    work(w, life);
  }
  return pid;
}

int end_of(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

/// Publishes the tasks from one number to another.
void fill(const world& w, int begin = 0, int end = total) {
  std::vector<outgoing_message> batch;
  for (int i = begin; i < end; ++i)
    batch.push_back(to("q", std::to_string(i)));
  w.connect("producer@h")->publish(batch).value();
}

/// What is not done, and is somewhere.
size_t left(world& w) {
  auto look = w.connect("look@h");
  return look->size(queue_name{"q"}).value() + w.unacknowledged();
}

void wait_for_the_end(world& w) {
  auto deadline = real_time::now() + 2min;
  while (left(w) > 0 && real_time::now() < deadline)
    usleep(5'000);
}

/// Each task once: its follow-up, and its result.
void check_all_done(world& w) {
  CAF_CHECK_EQUAL(left(w), 0u);
  auto followers = drain(w, "next");
  CAF_CHECK_EQUAL(followers.size(), size_t{total});
  CAF_CHECK_EQUAL((std::set<std::string>{followers.begin(), followers.end()})
                    .size(),
                  size_t{total});
  auto results = w.results();
  size_t stored = 0;
  for (int i = 0; i < total; ++i)
    stored += results->fetch(task_id{std::to_string(i)}).value().has_value();
  CAF_CHECK_EQUAL(stored, size_t{total});
  auto db = sqlite::open_database(w.url(), {}).value();
  auto state = db->select("PRAGMA integrity_check");
  CAF_REQUIRE(state.next());
  CAF_CHECK_EQUAL(state.text(0), "ok");
}

} // namespace

// The processes share nothing but the file; each is killed at a random moment.
CAF_TEST(processes_killed_at_random_lose_and_double_nothing) {
  sqlite_world w;
  w.open(); // makes the file
  std::mt19937_64 random{std::random_device{}()};
  std::vector<pid_t> workers;
  int life = 0;
  while (workers.size() < 3)
    workers.push_back(start_worker(w, ++life));
  // There is work until the last kill, however quick the workers are and however
  // slow this process is.
  for (auto i = 0; i < kills; ++i) {
    fill(w, i * total / kills, (i + 1) * total / kills);
    usleep(static_cast<useconds_t>(random() % 15'000));
    auto& victim = workers[random() % workers.size()];
    kill(victim, SIGKILL);
    CAF_CHECK_EQUAL(WTERMSIG(end_of(victim)), SIGKILL);
    victim = start_worker(w, ++life);
  }
  wait_for_the_end(w);
  for (auto pid : workers) {
    kill(pid, SIGKILL);
    CAF_CHECK_EQUAL(WTERMSIG(end_of(pid)), SIGKILL); // no error ended it before
  }
  check_all_done(w);
}

// One after another, each in the middle of a write into the log. What is found there
// afterwards shows that the kill has hit a commit: pages without their end.
CAF_TEST(processes_killed_within_commits_lose_and_double_nothing) {
  sqlite_world w;
  fill(w);
  auto seed = std::random_device{}();
  CAF_MESSAGE("seed " << seed);
  std::mt19937_64 random{seed};
  constexpr int lives = 60;
  auto torn = 0;
  for (auto life = 1; life <= lives; ++life) {
    auto end = end_of(start_worker(w, life, 1 + static_cast<int>(random() % 80)));
    CAF_REQUIRE_EQUAL(WTERMSIG(end), SIGKILL); // and not for an error
    torn += has_unfinished_commit(w.url().substr(9) + "-wal");
  }
  CAF_MESSAGE(torn << " of " << lives << " kills have hit a commit");
  CAF_CHECK_GREATER(left(w), 0u);
  CAF_CHECK_GREATER(torn, lives / 2);
  auto last = start_worker(w, lives + 1);
  wait_for_the_end(w);
  kill(last, SIGKILL);
  CAF_CHECK_EQUAL(WTERMSIG(end_of(last)), SIGKILL);
  check_all_done(w);
}
