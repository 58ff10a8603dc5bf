// Tasks with hooks, signals and options of their own, for
// test_task_features.py. What they say is seen in the worker's log.
#include <umbel/task.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

namespace {

struct out_of_stock : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void say(const char* what) {
  std::fprintf(stderr, "features: %s in %d\n", what, getpid());
}

std::string order(umbel::context& self, int count) {
  if (count > 10)
    throw out_of_stock("only 10");
  return self.header("tenant").is_null() ? "nobody"
                                         : self.header("tenant").as_string().c_str();
}

/// Works until somebody asks it to stop. @returns how far it has come
int count(umbel::context& self) {
  int n = 0;
  while (!self.is_aborted()) {
    ++n;
    umbel::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return n;
}

/// An errback that wants to know all.
void note_failure(const umbel::json::object& request, const umbel::json::object& exc,
           const std::optional<std::string>&) {
  umbel::log_info("alarm: {} {}", request.at("task").as_string().c_str(),
                  exc.at("exc_type").as_string().c_str());
}

umbel::awaitable<int> doubled_twice(int x) {
  auto y = co_await umbel::call<int>("features.doubled", x);
  co_return co_await umbel::call<int>("features.doubled", y);
}

/// One more part of the chord for each number below n. @returns n
int spread(umbel::context& self, int n) {
  for (int i = 0; i < n; ++i)
    self.add_to_chord({.task = "features.spread", .args = {i}});
  return n;
}

/// What adds a part runs before that part does.
int spread_later(umbel::context& self, int n) {
  auto part = self.add_to_chord_lazily({.task = "features.spread", .args = {n}});
  part.immutable = true;
  self.start(umbel::canvas::make_chain(
      {{.task = "features.doubled", .args = {n}}, part}));
  return n;
}

/// Calls the same report twice at once. @returns how the second one ends
umbel::awaitable<std::string> report_twice(const std::string& shop) {
  auto first = [](std::string x) -> umbel::awaitable<std::string> {
    try {
      co_return co_await umbel::call<std::string>("features.report", x, 0.5);
    } catch (const umbel::exception& e) {
      co_return e.type();
    }
  };
  std::vector<umbel::awaitable<std::string>> both;
  both.push_back(first(shop));
  both.push_back(first(shop));
  auto ends = co_await umbel::when_all(std::move(both));
  co_return ends[0] + " " + ends[1];
}

} // namespace

UMBEL_TASKS(app) {
  using namespace umbel::literals;
  app.task("features.order", order, "count")
      .throws<out_of_stock>()
      .before_start([](umbel::context&) { umbel::log_info("hook before_start"); })
      .on_success([](umbel::context&, const umbel::json::value&) {
        umbel::log_info("hook on_success");
      })
      .on_failure([](umbel::context& self, const umbel::exception_info& why) {
        umbel::log_info("hook on_failure {}", why.repr());
        self.start({.task = "features.note", .args = {self.id()}});
      })
      .after_return([](umbel::context&, std::string_view state,
                       const umbel::json::value&) {
        umbel::log_info("hook after_return {}", state);
      });
  app.task(
      "features.note",
      [](const std::string& x) { umbel::log_info("noted {}", x); }, "x");
  app.task("features.tell_all", [](umbel::context& self) {
    self.start({.task = "features.note",
                .args = {self.id()},
                .options = {{"queue", "everyone"}}});
  });
  app.task("features.stubborn", [](umbel::context& self) {
    if (self.retries() < 2)
      self.retry({.countdown = std::chrono::milliseconds{100}});
  });
  app.task("features.tell", [](umbel::context& self) {
    self.send_event("task-progress", {{"current", 3}});
  });
  app.task("features.pid", [] { return getpid(); });
  app.task("features.count", count);
  app.task("features.alarm", note_failure, "request", "exc", "traceback");
  app.task("features.crash", [] { raise(SIGKILL); });
  app.task(
      "features.doubled", [](int x) { return 2 * x; }, "x").acks_late();
  app.task("features.doubled_twice", doubled_twice, "x");
  app.task("features.spread", spread, "n");
  app.task("features.spread_later", spread_later, "n");
  app.task("features.numbers",
           [](const std::vector<int>& numbers) { return numbers; }, "numbers");
  app.task(
         "features.report",
         [](const std::string& shop, double seconds) {
           umbel::this_thread::sleep_for(std::chrono::duration<double>(seconds));
           return shop;
         },
         "shop", "seconds"_a = 0.0)
      .unique_key("shop")
      .unique_for(std::chrono::minutes{10});
  app.task("features.report_twice", report_twice, "shop");
  app.task("features.start_reports", [](umbel::context& self, int n) {
    for (int i = 0; i < n; ++i)
      self.start({.task = "features.report", .args = {"acme", 0.5}});
  }, "n");
  app.task("features.traced", [](umbel::context& self) {
    return self.header("trace");
  });
  app.task("features.trace", [](umbel::context& self) {
    self.start({.task = "features.traced", .options = {{"task_id", "traced"}}});
  });
  auto& told = app.signals();
  told.before_task_publish.connect(
      [](umbel::task_call& x) { x.headers["trace"] = "of " + x.task; });
  told.worker_shutdown.connect([] { say("worker_shutdown"); });
  told.worker_init.connect([] { say("worker_init"); });
  told.worker_process_init.connect([] { say("worker_process_init"); });
  told.worker_process_shutdown.connect([] { say("worker_process_shutdown"); });
  told.worker_process_init.connect([] { throw std::runtime_error("no database"); });
}
