#include "actors/beat/run_beat.hpp"

#include "actors/beat/beat.hpp"
#include "actors/beat/beat_db.hpp"
#include "actors/supervision/supervision_errc.hpp"
#include "actors/supervision/supervisor.hpp"
#include "protocol/client/node_format.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/schedule/redis/redis_store.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <csignal>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace umbel {

namespace {

using namespace std::chrono_literals;

/// Blocks the signals that end a beat and reads them from a descriptor.
int open_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (auto number : {SIGTERM, SIGINT, SIGQUIT, SIGHUP})
    sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// A descriptor that can be read once something has ended.
struct end_mark {
  const int fd = eventfd(0, EFD_CLOEXEC);
  caf::error reason; // written before the descriptor is

  ~end_mark() {
    close(fd);
  }

  void set(const caf::error& x) {
    reason = x;
    uint64_t one = 1;
    [[maybe_unused]] auto n = write(fd, &one, sizeof(one));
  }
};

std::string own_name() {
  return fmt::format("gen{}@{}", getpid(), host_name());
}

beat_options options_of(const beat_config& config) {
  beat_options result;
  result.now = now;
  result.max_interval = config.max_interval;
  result.batch_max = config.batch_max;
  result.libraries = config.libraries;
  result.sent_events = config.sent_events;
  result.event_serializer = config.event_serializer;
  result.routing = config.routing;
  result.event_exchange = config.broker.event_exchange;
  result.on_running = config.on_running;
  auto options = config.broker;
  options.node = node_name{own_name()};
  options.queues.clear();
  result.connect_once = [url = config.broker_url, options] {
    return schedule::once_publisher::open(url, options);
  };
  result.connect = [url = config.broker_url, options]() mutable {
    options.incarnation = make_uuid();
    options.shared = std::make_shared<shared_connections>();
    return connect_broker(url, options);
  };
  return result;
}

} // namespace

expected<std::unique_ptr<schedule::store>>
open_schedule(const std::string& memory, const std::string& broker_url,
              const broker_options& options, database_role role) {
  if (memory.find("://") == memory.npos) {
    auto file = beat_db::open(memory, role);
    if (!file)
      return file.error();
    return std::unique_ptr<schedule::store>{std::move(*file)};
  }
  auto shared = schedule::redis_store::make(memory, broker_url, options,
                                            own_name());
  if (!shared)
    return error{shared.error().code,
                 "beat_schedule_filename (-s): " + shared.error().what
                   + "; it is a path or redis://..."};
  return std::unique_ptr<schedule::store>{std::move(*shared)};
}

expected<std::shared_ptr<beat_plan>> open_plan(const beat_config& config) {
  auto memory = open_schedule(config.memory, config.broker_url, config.broker,
                              database_role::owner);
  if (!memory)
    return memory.error();
  auto is_file = dynamic_cast<beat_db*>(memory->get()) != nullptr;
  auto plan = std::make_shared<beat_plan>(config.plan, std::move(*memory));
  // What is wrong with a file is told at once; a server may be away.
  if (is_file) {
    if (auto done = plan->memory().lead(); !done)
      return done.error();
    if (auto done = plan->take_over(now()); !done)
      return done.error();
  }
  return plan;
}

child_spec beat_spec(const beat_config& config,
                     std::shared_ptr<beat_plan> plan) {
  supervisor_flags flags;
  flags.backoff = {50ms, 2s};
  flags.intensity = {unlimited_restarts, 1h}; // a broker may be away
  child_spec send;
  send.id = "beat";
  send.start = [plan, options = options_of(config)](caf::local_actor* parent,
                                                    const siblings&) {
    return parent->spawn<caf::detached>(beat, plan, options);
  };
  return supervisor_spec("beat", flags, {std::move(send)});
}

int run_beat(const beat_config& config) {
  auto plan = open_plan(config);
  if (!plan) {
    spdlog::critical("{}", plan.error().what);
    return 1;
  }
  auto signals = open_signals();
  auto end = std::make_shared<end_mark>();
  caf::actor_system_config system_config;
  system_config.set("scheduler.max-threads", size_t{1});
  caf::actor_system system{system_config};
  spdlog::info("beat: Starting with {} entries, remembered in '{}'",
               (*plan)->size(), (*plan)->memory().location());
  auto spec = beat_spec(config, std::move(*plan));
  auto root = system.spawn(supervisor, "root", supervisor_flags{},
                           std::vector<child_spec>{std::move(spec)});
  root->attach_functor([end](const caf::error& x) { end->set(x); });
  pollfd fds[] = {{signals, POLLIN, 0}, {end->fd, POLLIN, 0}};
  while (poll(fds, 2, -1) <= 0 || fds[1].revents == 0) {
    signalfd_siginfo info;
    if (fds[0].revents != 0 && read(signals, &info, sizeof(info)) > 0)
      caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
  }
  close(signals);
  if (!end->reason || end->reason == caf::exit_reason::user_shutdown)
    return 0;
  spdlog::critical("{}", describe(end->reason));
  return 1;
}

} // namespace umbel
