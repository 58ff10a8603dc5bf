// The example library: tasks to try Umbel with, and to copy from.
#include <umbel/task.hpp>

#include <csignal>
#include <ctime>
#include <list>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using umbel::number; // int or float, as the caller gave it

number add(number x, number y) {
  return x + y;
}

number mul(number x, number y) {
  return x * y;
}

number xsum(const std::vector<number>& numbers) {
  number sum;
  for (auto x : numbers)
    sum += x;
  return sum;
}

void noop() {
  // nop
}

/// Sleeps and holds the thread, but wakes up for the soft time limit.
number sleep_seconds(number seconds) {
  umbel::this_thread::sleep_for(std::chrono::duration<double>(seconds.real()));
  return seconds;
}

/// Sleeps and lets others run: thousands at once with -P gevent.
umbel::awaitable<number> sleep_cooperatively(number seconds) {
  co_await umbel::sleep_for(std::chrono::duration<double>(seconds.real()));
  co_return seconds;
}

/// What a web server says to a GET.
umbel::awaitable<umbel::json::object> fetch(const std::string& url) {
  auto answer = co_await umbel::http_get(url);
  co_return umbel::json::object{{"status", answer.status},
                                {"type", answer.header("content-type")},
                                {"bytes", answer.body.size()}};
}

/// Sleeps, and tidies up when the soft time limit is over.
std::string patient_sleep(number seconds) {
  try {
    umbel::this_thread::sleep_for(std::chrono::duration<double>(seconds.real()));
    return "done";
  } catch (const umbel::soft_time_limit_exceeded&) {
    return "interrupted";
  }
}

/// Uses a core for that long.
void spin(number seconds) {
  auto used = [] { return std::clock() / double{CLOCKS_PER_SEC}; };
  for (auto end = used() + seconds.real(); used() < end;)
    ;
}

umbel::awaitable<number> add_elsewhere(int64_t x) {
  co_return co_await umbel::call<number>("tasks.add", x, x);
}

/// The sum of 0, 2, 4 ... 2 * (n - 1), each computed by a task of its own.
umbel::awaitable<number> total(int64_t n) {
  std::vector<umbel::awaitable<number>> all;
  for (int64_t i = 0; i < n; ++i)
    all.push_back(add_elsewhere(i));
  co_return xsum(co_await umbel::when_all(std::move(all)));
}

/// What another task returns, or throws.
umbel::awaitable<umbel::json::value> forward(const std::string& task,
                                             const umbel::json::value& x) {
  co_return co_await umbel::call(task, x);
}

void fail(const std::string& message) {
  throw std::invalid_argument(message); // ValueError for a Python client
}

/// Fails until it was retried `times` times. @returns the number of retries
int64_t flaky(umbel::context& self, int times) {
  if (self.retries() < times) {
    auto cause =
        std::runtime_error("try " + std::to_string(self.retries() + 1));
    self.retry({.countdown = std::chrono::seconds{0},
                .max_retries = times,
                .exc = std::make_exception_ptr(cause)});
  }
  return self.retries();
}

/// Has another task or workflow take its place.
void replace(umbel::context& self, const umbel::json::value& by) {
  self.replace(umbel::canvas::parse_signature(by).value());
}

/// Uses memory for the length of one run.
size_t allocate(size_t mib) {
  std::vector<char> memory(mib << 20, 1); // written, so that it is resident
  return memory.size() >> 20;
}

/// Uses memory and never gives it back.
void leak(size_t mib) {
  static auto& lost = *new std::list<std::vector<char>>;
  static std::mutex mutex; // with -P threads, several run at once
  std::vector<char> memory(mib << 20, 1);
  std::lock_guard guard{mutex};
  lost.push_back(std::move(memory));
}

/// Kills the process that runs it.
void crash(int signal) {
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Shows its progress as a state of its own, and tells monitors.
int progress(umbel::context& self, int steps, std::chrono::milliseconds pause) {
  for (int i = 1; i <= steps; ++i) {
    self.update_state("PROGRESS", {{"current", i}, {"total", steps}});
    self.send_event("task-progress", {{"current", i}, {"total", steps}});
    umbel::this_thread::sleep_for(pause);
  }
  return steps;
}

} // namespace

UMBEL_TASKS(app) {
  using namespace umbel::literals;
  app.task("tasks.add", add, "x", "y");
  app.task("tasks.mul", mul, "x", "y");
  app.task("tasks.xsum", xsum, "numbers");
  app.task("tasks.noop", noop);
  app.task("tasks.sleep", sleep_seconds, "seconds");
  app.task("tasks.asleep", sleep_cooperatively, "seconds");
  app.task("tasks.fetch", fetch, "url");
  app.task("tasks.patient_sleep", patient_sleep, "seconds");
  app.task("tasks.spin", spin, "seconds");
  app.task("tasks.total", total, "n");
  app.task("tasks.forward", forward, "task", "x");
  app.task("tasks.fail", fail, "message");
  app.task("tasks.flaky", flaky, "times");
  app.task("tasks.replace", replace, "by");
  app.task("tasks.allocate", allocate, "mib");
  app.task("tasks.leak", leak, "mib");
  app.task("tasks.crash", crash, "signal"_a = SIGKILL);
  app.task("tasks.progress", progress, "steps", "pause"_a = 0.1);
  app.task(
      "tasks.echo", [](const umbel::json::value& x) { return x; }, "value");
}
