// Tasks that bring their schedule along, for test_beat.py.
#include <umbel/task.hpp>

#include <chrono>
#include <stdexcept>

using namespace std::chrono_literals;

UMBEL_TASKS(app) {
  app.task("periodic.echo", [](umbel::varargs xs) { return xs.values; });
  app.add_periodic_task(umbel::every(200ms), "periodic.echo")
      .name("plain")
      .args(4, "x")
      .kwarg("y", 5)
      .options({{"queue", "plain"}});
  app.add_periodic_task(umbel::every(200ms), "periodic.echo")
      .name("lazy")
      .args(1, umbel::lazy([] { return std::chrono::system_clock::now(); }))
      .options({{"queue", "lazy"}});
  app.add_periodic_task(umbel::every(200ms), "periodic.echo")
      .name("failing")
      .args(umbel::lazy([]() -> int { throw std::runtime_error{"no idea"}; }))
      .options({{"queue", "failing"}});
  app.add_periodic_task(umbel::crontab("0 4 * * mon-fri"), "periodic.echo");
  app.add_periodic_task(umbel::solar("sunset", 52.5, 13.4), "periodic.echo")
      .name("lamps");
}
