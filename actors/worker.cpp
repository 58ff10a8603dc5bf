#include "actors/worker.hpp"

#include "actors/consumer/consumer.hpp"
#include "actors/consumer/forwarder.hpp"
#include "actors/consumer/incarnation.hpp"
#include "actors/consumer/reader.hpp"
#include "actors/consumer/timer.hpp"
#include "actors/consumer/writer.hpp"
#include "actors/multiplexer_scheduler.hpp"
#include "actors/pool/autoscaler.hpp"
#include "actors/pool/child_worker.hpp"
#include "actors/pool/cooperative_worker.hpp"
#include "actors/pool/pool_supervisor.hpp"
#include "actors/pool/thread_worker.hpp"
#include "actors/supervision/supervisor.hpp"
#include "protocol/child/frames.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/task/settings.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <csignal>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace umbel {

namespace {

using namespace std::chrono_literals;

using signal_atom = caf::atom_constant<caf::atom("signal")>;
using consumer_up_atom = caf::atom_constant<caf::atom("consumerup")>;
using give_up_atom = caf::atom_constant<caf::atom("giveup")>;

/// After a cold shutdown began, what could not be settled in this time is left
/// to the lease.
constexpr auto cold_shutdown_max = 5s;

// -- the tree -------------------------------------------------------------------

std::shared_ptr<incarnation> begin_incarnation(const worker_config& config) {
  auto life = std::make_shared<incarnation>();
  life->broker_url = config.settings.broker_url;
  life->result_url = config.settings.result_backend;
  life->options = config.broker;
  life->options.incarnation = make_uuid().substr(0, 8);
  return life;
}

/// What the pool makes its children with. Threads need the task libraries in
/// this process; a library that cannot be loaded is an error here already.
expected<child_factory> make_children(const worker_config& config) {
  auto node = config.broker.node.str();
  auto settings = to_child_settings(config.settings);
  if (config.pool == pool_kind::prefork) {
    std::string frame;
    frame::append(frame, frame::configure{config.libraries, node, settings});
    return process_children(config.child_executable, std::move(frame),
                            config.recycling.watches_memory());
  }
  auto parsed = parse_runner_settings(node, settings);
  if (!parsed)
    return parsed.error();
  if (config.pool == pool_kind::cooperative)
    return cooperative_children(config.libraries, std::move(*parsed));
  return thread_children(config.libraries, std::move(*parsed));
}

acknowledgement_defaults acknowledgement_of(const settings& x) {
  acknowledgement_defaults result;
  result.acks_late = x.task_acks_late;
  result.acks_on_failure_or_timeout = x.task_acks_on_failure_or_timeout;
  result.reject_on_worker_lost = x.task_reject_on_worker_lost.value_or(false);
  result.ignore_result = x.task_ignore_result;
  result.store_errors_even_if_ignored = x.task_store_errors_even_if_ignored;
  return result;
}

time_limits limits_of(const settings& x) {
  constexpr std::chrono::milliseconds none{0};
  return {x.task_soft_time_limit.value_or(none),
          x.task_time_limit.value_or(none)};
}

consumer_options options_of(const worker_config& config,
                            std::shared_ptr<incarnation> life) {
  // Celery: 0 means no limit.
  auto multiplier = config.settings.worker_prefetch_multiplier;
  // Celery: for as many children as there may ever be. Here for those that there
  // are and one more, whose messages make the pool grow: while it is small, the
  // others are for workers that have room.
  auto children = config.autoscale ? std::min(config.concurrency + 1,
                                              config.autoscale->max)
                                   : config.concurrency;
  consumer_options result;
  result.prefetch_multiplier = multiplier.value_or(4);
  result.prefetch = multiplier == 0 ? prefetch_window::window_max
                                    : children * result.prefetch_multiplier;
  result.prefetch_fixed = multiplier.has_value();
  result.acknowledgement = acknowledgement_of(config.settings);
  result.limits = limits_of(config.settings);
  result.lease = config.broker.lease;
  result.node = config.broker.node;
  result.on_ready = config.on_ready;
  result.on_running = config.on_running;
  result.interrupt_reader = [life] { life->interrupt_reader(); };
  return result;
}

std::vector<child_spec> connection_specs(std::shared_ptr<incarnation> life,
                                         caf::actor consumer) {
  child_spec write;
  write.id = "writer";
  write.start = [=](caf::local_actor* parent, const siblings&) {
    return parent->spawn<caf::detached>(writer, life, consumer);
  };
  child_spec read;
  read.id = "reader";
  read.start = [=](caf::local_actor* parent, const siblings& started) {
    return parent->spawn<caf::detached>(reader, life, consumer,
                                        started.get("writer"));
  };
  child_spec forward;
  forward.id = "forwarder";
  forward.start = [=](caf::local_actor* parent, const siblings& started) {
    return parent->spawn(forwarder, started.get("writer"), now);
  };
  return {std::move(write), std::move(read), std::move(forward)};
}

supervisor_flags connection_flags(const worker_config& config) {
  supervisor_flags flags;
  flags.strategy = strategy::rest_for_one;
  flags.backoff = {50ms, 2s};
  // A broker may be away for as long as it likes, unless told otherwise.
  auto& x = config.settings;
  flags.intensity = {x.broker_connection_retry
                       ? x.broker_connection_max_retries.value_or(
                         unlimited_restarts)
                       : 0,
                     1h};
  return flags;
}

child_spec autoscaler_spec(const worker_config& config) {
  autoscaler_options options;
  options.min = config.autoscale->min;
  options.max = config.autoscale->max;
  options.keepalive = config.autoscale_keepalive;
  child_spec result;
  result.id = "autoscaler";
  result.start = [=](caf::local_actor* parent, const siblings& started) {
    return parent->spawn(autoscaler, options, started.get("pool"));
  };
  return result;
}

std::vector<child_spec> worker_specs(const worker_config& config,
                                     const child_factory& children,
                                     const caf::actor& root) {
  child_spec time;
  time.id = "timer";
  time.start = [](caf::local_actor* parent, const siblings&) {
    return parent->spawn(timer, now);
  };
  child_spec pool;
  pool.id = "pool";
  pool.start = [&config, children](caf::local_actor* parent,
                                   const siblings&) {
    pool_options options;
    options.size = config.concurrency;
    options.start = children;
    options.recycling = config.recycling;
    auto largest = config.autoscale ? config.autoscale->max
                                    : config.concurrency;
    options.intensity.max_restarts = std::max(options.intensity.max_restarts,
                                              2 * largest);
    options.can_kill = config.pool == pool_kind::prefork
                       || config.pool == pool_kind::cooperative;
    return parent->spawn(pool_supervisor, std::move(options));
  };
  // Shared by the consumer and its connections, renewed with them.
  auto life = std::make_shared<std::shared_ptr<incarnation>>();
  child_spec consume;
  consume.id = "consumer";
  consume.start = [&config, root, life](caf::local_actor* parent,
                                        const siblings& started) {
    *life = begin_incarnation(config);
    auto hdl = parent->spawn(consumer, options_of(config, *life),
                             started.get("pool"), started.get("timer"));
    caf::anon_send(root, consumer_up_atom::value, hdl);
    return hdl;
  };
  child_spec connect;
  connect.id = "connections";
  connect.type = child_type::supervisor;
  connect.start = [&config, life](caf::local_actor* parent,
                                  const siblings& started) {
    return parent->spawn(supervisor, "connections", connection_flags(config),
                         connection_specs(*life, started.get("consumer")));
  };
  // Reader and writer one after another, each with its own time.
  connect.shutdown = 13s;
  std::vector<child_spec> result{std::move(time), std::move(pool)};
  if (config.autoscale)
    result.push_back(autoscaler_spec(config));
  result.push_back(std::move(consume));
  result.push_back(std::move(connect));
  return result;
}

// -- the root actor -------------------------------------------------------------

enum class phase { running, warm, cold };

struct root_state {
  static inline const char* name = "worker";

  void on_signal(int number);
  void order();
  void end_tree();

  caf::event_based_actor* self = nullptr;
  caf::actor tree;
  caf::actor consumer;
  phase now = phase::running;
  std::atomic<int>* exit_status = nullptr; ///< outlives the actor
};

void root_state::on_signal(int number) {
  if (number == SIGTERM && now != phase::running)
    return;
  if (number != SIGTERM)
    *exit_status = 1;
  if (now == phase::running && number != SIGQUIT) {
    now = phase::warm;
    spdlog::warn("Warm shutdown: finishing what runs ({})",
                 number == SIGINT ? "again to give it up"
                                  : "SIGQUIT to give it up");
  } else if (now != phase::cold) {
    now = phase::cold;
    spdlog::warn("Cold shutdown: giving up what runs");
    self->delayed_send(self, cold_shutdown_max, give_up_atom::value);
  } else {
    spdlog::warn("ending at once");
    return end_tree();
  }
  order();
}

void root_state::order() {
  if (now == phase::warm)
    self->send(consumer, drain{});
  else if (now == phase::cold)
    self->send(consumer, abandon{});
}

void root_state::end_tree() {
  self->send_exit(tree, caf::exit_reason::user_shutdown);
}

caf::behavior root(caf::stateful_actor<root_state>* self,
                   const worker_config* config, child_factory children,
                   std::atomic<int>* exit_status) {
  auto& st = self->state;
  st.exit_status = exit_status;
  st.self = self;
  supervisor_flags flags;
  flags.strategy = strategy::one_for_all;
  flags.intensity = {3, 60s};
  st.tree = self->spawn<caf::monitored>(supervisor, "worker", flags,
                                        worker_specs(*config, children, self));
  self->set_down_handler([self](caf::down_msg& x) {
    self->quit(std::move(x.reason));
  });
  return {
    [self](consumer_up_atom, caf::actor& consumer) {
      self->state.consumer = std::move(consumer);
      self->state.order(); // a new consumer has not heard of a shutdown
    },
    [self](signal_atom, int number) { self->state.on_signal(number); },
    [self](drained) { self->state.end_tree(); },
    [self](give_up_atom) {
      spdlog::warn("not everything could be settled; the rest comes back to "
                   "its queue when the lease ends");
      self->state.end_tree();
    },
  };
}

// -- signals --------------------------------------------------------------------

/// Blocks the signals that mean something and reads them from a descriptor.
int open_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (auto number : {SIGTERM, SIGINT, SIGQUIT})
    sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

/// Forwards signals to the root actor until it has ended.
void forward_signals(int signals, int ended, const caf::actor& root) {
  for (;;) {
    pollfd fds[] = {{signals, POLLIN, 0}, {ended, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0)
      continue;
    if (fds[1].revents != 0)
      return;
    signalfd_siginfo info;
    if (read(signals, &info, sizeof(info)) == sizeof(info))
      caf::anon_send(root, signal_atom::value, static_cast<int>(info.ssi_signo));
  }
}

} // namespace

int run_worker(const worker_config& config) {
  auto children = make_children(config);
  if (!children) {
    spdlog::critical("{}", children.error().what);
    return 1;
  }
  auto signals = open_signals();
  auto ended = eventfd(0, EFD_CLOEXEC);
  caf::actor_system_config system_config;
  system_config.load<multiplexer_scheduler>().load<caf::io::middleman>();
  system_config.set("middleman.workers", size_t{0});
  caf::actor_system system{system_config};
  caf::error reason;
  std::atomic<int> status = 0;
  {
    auto hdl = system.spawn(root, &config, *children, &status);
    hdl->attach_functor([&](const caf::error& x) {
      reason = x;
      uint64_t one = 1;
      [[maybe_unused]] auto n = write(ended, &one, sizeof(one));
    });
    forward_signals(signals, ended, hdl);
  }
  close(ended);
  close(signals);
  if (reason && reason != caf::exit_reason::user_shutdown) {
    spdlog::critical("{}", describe(reason));
    status = 1;
  }
  return status;
}

} // namespace umbel
