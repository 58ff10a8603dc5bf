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
#include <unistd.h>

namespace {

constexpr int parent_socket = 3;

umbel::connection* the_parent = nullptr;

/// From the parent, the signals that end a process do so. From anybody else they
/// mean nothing: what is typed on a terminal goes to the whole group, but the
/// parent decides when a child ends.
void on_end_signal(int signal, siginfo_t* info, void*) {
  if (info->si_pid != getppid())
    return;
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
  raise(signal); // takes effect when this handler returns
}

/// Celery's signal for the soft time limit, for operators and `revoke`.
void on_soft_limit_signal(int) {
  the_parent->interrupt_running();
}

/// Handlers throughout, because programs that a task starts would inherit
/// SIG_IGN.
void install_signal_handlers() {
  struct sigaction action {};
  action.sa_flags = SA_RESTART;
  action.sa_handler = [](int) {};
  sigaction(SIGPIPE, &action, nullptr);
  action.sa_handler = on_soft_limit_signal;
  sigaction(SIGUSR1, &action, nullptr);
  action.sa_flags |= SA_SIGINFO;
  action.sa_sigaction = on_end_signal;
  for (int signal : {SIGINT, SIGTERM, SIGQUIT, SIGHUP})
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
  // Never destroyed: the watcher and threads of the tasks may outlive main().
  static auto& parent = *new umbel::connection{parent_socket};
  static auto& tasks = *new umbel::registry;
  the_parent = &parent;
  install_signal_handlers();
  auto fail = [](const umbel::error& x) {
    parent.send(umbel::frame::failed{x.what});
  };
  auto settings = prepare(tasks, parent.receive_configure(), fail);
  if (!settings) {
    fail(settings.error());
    return EXIT_FAILURE;
  }
  parent.send(umbel::frame::hello{"c++", tasks.options()});
  static auto& runner = *new umbel::task_runner{tasks, std::move(*settings),
                                                &parent};
  parent.start_watcher([](uint64_t job) { runner.interrupt(job); });
  while (auto job = parent.next())
    parent.finish(runner.run(job->id, job->payload, parent));
  return EXIT_SUCCESS;
}
