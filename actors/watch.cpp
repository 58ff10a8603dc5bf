#include "actors/watch.hpp"

#include "actors/root.hpp"
#include "actors/supervision/census.hpp"
#include "actors/supervision/supervision_errc.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace umbel {

namespace {

/// Blocks the signals that mean something and reads them from a descriptor.
int open_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (auto number : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2})
    sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// To standard error whatever the log's level is, as Celery does it.
void print(const census_result& x) {
  auto text = fmt::format("supervision tree, process {}:\n{}", getpid(),
                          to_string(x));
  std::fputs(text.c_str(), stderr);
}

} // namespace

watch::watch(const worker_config& config)
    : config_(config),
      ladder_({config.term_is_quit, config.restart_on_hangup}),
      signals_(open_signals()), ended_(eventfd(0, EFD_CLOEXEC)) {
}

watch::~watch() {
  close(signals_);
  close(ended_);
}

void watch::on_end(const caf::error& reason) {
  reason_ = reason;
  uint64_t one = 1;
  [[maybe_unused]] auto n = write(ended_, &one, sizeof(one));
}

bool watch::on_signal(int number, caf::actor_system& system,
                      const caf::actor& root) {
  if (number == SIGUSR1) {
    system.spawn<caf::detached>(census, "root", root, print);
  } else if (number == SIGUSR2) {
    spdlog::info("SIGUSR2 has no meaning: a log file that is moved is opened "
                 "again by itself");
  } else if (auto step = ladder_.climb(number)) {
    if (*step == shutdown_ladder::step::at_once)
      return true;
    caf::anon_send(root, shutdown_step{*step, ladder_.restarts()});
  }
  return false;
}

void watch::prove_life(caf::actor_system& system, const caf::actor& root) {
  next_proof_ = clock::now() + *config_.watchdog / 2;
  auto notify = config_.notify;
  system.spawn<caf::detached>(census, "root", root, [notify](auto result) {
    if (all_well(result))
      notify("WATCHDOG=1");
    else
      spdlog::error("no sign of life for the service manager:\n{}",
                    to_string(result));
  });
}

worker_end watch::run(caf::actor_system& system, const caf::actor& root) {
  for (;;) {
    auto timeout = -1;
    if (config_.watchdog) {
      if (clock::now() >= next_proof_)
        prove_life(system, root);
      timeout = static_cast<int>(
          std::chrono::ceil<std::chrono::milliseconds>(next_proof_
                                                       - clock::now())
              .count());
    }
    pollfd fds[] = {{signals_, POLLIN, 0}, {ended_, POLLIN, 0}};
    if (poll(fds, 2, timeout) <= 0)
      continue;
    if (fds[1].revents != 0)
      break;
    signalfd_siginfo info;
    if (read(signals_, &info, sizeof(info)) == sizeof(info)
        && on_signal(static_cast<int>(info.ssi_signo), system, root)) {
      spdlog::critical("ending at once; what is not settled comes back to its "
                       "queue when the lease ends");
      return {worker_end::at_once, ladder_.exit_status()};
    }
  }
  if (reason_ && reason_ != caf::exit_reason::user_shutdown) {
    spdlog::critical("{}", describe(reason_));
    return {worker_end::finished, 1};
  }
  // A thread that still runs a task was given up, and cannot be ended.
  if (ladder_.now() >= shutdown_ladder::step::cold)
    return {worker_end::at_once, ladder_.exit_status()};
  return {ladder_.restarts() ? worker_end::restart : worker_end::finished,
          ladder_.exit_status()};
}

} // namespace umbel
