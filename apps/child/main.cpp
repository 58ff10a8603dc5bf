// child: runs tasks for a worker. Started by the worker with a socket as
// descriptor 3; protocol/child/README.md says what is spoken there. With
// `--fork-server` it makes children that are further along, with `--periodic` it
// answers a beat, with `--command` it runs a command of remote control.
#include "apps/child/command.hpp"
#include "apps/child/connection.hpp"
#include "apps/child/fork_server.hpp"
#include "apps/child/periodic.hpp"
#include "protocol/child/fork_request.hpp"
#include "protocol/task/library.hpp"
#include "protocol/task/runner.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace {

constexpr int parent_socket = 3;

// Levels of the child protocol.
constexpr uint8_t warning = 3;
constexpr uint8_t error_level = 4;

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
  auto settings = umbel::parse_runner_settings(from.node, from.settings);
  if (!settings)
    return settings;
  auto loaded = umbel::load_tasks(tasks, from.libraries, *settings, last_words);
  if (!loaded)
    return loaded.error();
  return settings;
}

/// Says why it cannot work.
void fail(umbel::connection& parent, const umbel::error& x) {
  parent.send(umbel::frame::failed{x.what});
}

/// For functions of the libraries' own that have thrown.
void complain(const std::string& line) {
  the_parent->log(0, error_level, line);
}

template <class Frame>
std::string encoded(const Frame& x) {
  std::string result;
  umbel::frame::append(result, x);
  return result;
}

} // namespace

int main(int argc, char** argv) {
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
  if (argc > 1 && std::string_view{argv[1]} == umbel::periodic_argument)
    return umbel::answer_periodic({argv + 2, argv + argc});
  if (argc > 1 && std::string_view{argv[1]} == umbel::command_argument)
    return umbel::answer_command({argv + 2, argv + argc});
  auto forks = argc == 2
               && std::string_view{argv[1]} == umbel::fork_server::argument;
  if (forks)
    prctl(PR_SET_NAME, "fork server");
  // Never destroyed: the watcher and threads of the tasks may outlive main().
  static auto& parent = *new umbel::connection{parent_socket};
  static auto& tasks = *new umbel::registry;
  the_parent = &parent;
  install_signal_handlers();
  auto before = forks ? umbel::process_census::take() : umbel::process_census{};
  auto configuration = forks ? umbel::receive_fork_configuration()
                             : parent.receive_configure();
  if (!configuration) {
    fail(parent, configuration.error());
    return EXIT_FAILURE;
  }
  auto settings = prepare(tasks, *configuration, [](const umbel::error& x) {
    fail(parent, x);
  });
  if (!settings) {
    fail(parent, settings.error());
    return EXIT_FAILURE;
  }
  auto& signals = tasks.signals();
  std::string complaint; // a fork server has no other way to say it
  umbel::tell_process(signals.worker_init, "worker_init",
                      [&](const std::string& line) {
                        complaint = line;
                        if (!forks)
                          complain(line);
                      });
  static auto& runner = *new umbel::task_runner{tasks, std::move(*settings),
                                                &parent};
  auto hello = encoded(umbel::frame::hello{"c++", tasks.options()});
  if (forks) {
    if (complaint.empty())
      complaint = umbel::obstacle_to_fork(before);
    if (!complaint.empty()) {
      parent.log(0, warning, complaint);
      return EXIT_SUCCESS;
    }
    auto brief = encoded(umbel::frame::hello{"c++", {}});
    parent.send_bytes(brief);
    auto on_farewell = [&] {
      umbel::tell_process(signals.worker_shutdown, "worker_shutdown",
                          [](const std::string& line) {
                            std::fprintf(stderr, "umbel fork server: %s\n",
                                         line.c_str());
                          });
    };
    if (umbel::serve_forks(argv, on_farewell))
      hello = brief;
  }
  umbel::tell_process(signals.worker_process_init, "worker_process_init",
                      complain);
  parent.send_bytes(hello);
  parent.start_watcher([](uint64_t job) { runner.interrupt(job); });
  while (auto job = parent.next())
    parent.finish(runner.run(job->id, job->payload, parent));
  umbel::tell_process(signals.worker_process_shutdown,
                      "worker_process_shutdown", complain);
  if (!forks) // else it is the fork server's
    umbel::tell_process(signals.worker_shutdown, "worker_shutdown", complain);
  return EXIT_SUCCESS;
}
