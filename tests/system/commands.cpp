// A task library with commands of its own for remote control, good ones and others;
// for test_commands.py.
#include <umbel/task.hpp>

#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

#include <unistd.h>

namespace {

umbel::json::object where(const umbel::command_context& self) {
  return {{"node", self.node},
          {"worker", self.worker_pid},
          {"process", int64_t{getpid()}}};
}

std::string greet(const std::string& name, int times) {
  std::string result;
  for (auto i = 0; i < times; ++i)
    result += "hello " + name + ' ';
  return result;
}

} // namespace

UMBEL_TASKS(app) {
  app.task("commands.noop", [] {});
  app.inspect_command("where", where).help("Where a command runs");
  app.control_command("greet", greet, "name", umbel::arg("times") = 1)
    .signature("NAME [TIMES]")
    .alias("say_hello");
  app.control_command("fail", [] { throw std::invalid_argument("no luck"); });
  app.control_command("crash", [] { std::raise(SIGSEGV); });
  app.control_command("leave", [] { _exit(3); });
  app.control_command("hang", [] {
    for (;;)
      std::this_thread::sleep_for(std::chrono::seconds{1});
  });
  app.inspect_command("flood", [] { return std::string(20 << 20, 'x'); });
}
