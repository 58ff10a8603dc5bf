// child: runs tasks for a worker. Started by the worker with a socket as
// descriptor 3; protocol/child/README.md says what is spoken there.
#include "apps/child/connection.hpp"
#include "protocol/task/library.hpp"
#include "protocol/task/runner.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <sys/prctl.h>

namespace {

constexpr int parent_socket = 3;

/// ^C on a terminal goes to the whole group, but the parent decides when a
/// child ends. Handlers, because programs that a task starts would inherit
/// SIG_IGN.
void leave_signals_to_the_parent() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  for (int signal : {SIGINT, SIGTERM, SIGPIPE})
    sigaction(signal, &action, nullptr);
}

umbel::expected<umbel::runner_settings>
prepare(umbel::registry& tasks, const umbel::frame::configure& from,
        const std::function<void(const umbel::error&)>& last_words) {
  for (auto& library : from.libraries)
    if (auto loaded = umbel::load_library(tasks, library, last_words); !loaded)
      return loaded.error();
  return umbel::parse_runner_settings(from.node, from.settings);
}

} // namespace

int main() {
  // Die with the parent, also while a task loops. Should the parent be dead
  // already, the socket is at its end.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (fcntl(parent_socket, F_SETFD, FD_CLOEXEC) != 0) {
    std::fprintf(stderr,
                 "child is started by `umbel worker`; descriptor %d is "
                 "not a socket\n",
                 parent_socket);
    return 2;
  }
  leave_signals_to_the_parent();
  // Never destroyed: the watcher and threads of the tasks may outlive main().
  static auto& parent = *new umbel::connection{parent_socket};
  static auto& tasks = *new umbel::registry;
  auto fail = [](const umbel::error& x) {
    parent.send(umbel::frame::failed{x.what});
  };
  auto settings = prepare(tasks, parent.receive_configure(), fail);
  if (!settings) {
    fail(settings.error());
    return EXIT_FAILURE;
  }
  parent.send(umbel::frame::hello{"c++", tasks.options()});
  parent.start_watcher();
  umbel::task_runner runner{tasks, std::move(*settings)};
  while (auto job = parent.next())
    parent.finish(runner.run(job->id, job->payload, parent));
  return EXIT_SUCCESS;
}
