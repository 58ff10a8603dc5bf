#include "actors/worker.hpp"

#include "actors/caller/caller.hpp"
#include "actors/cluster/control.hpp"
#include "actors/cluster/event_dispatcher.hpp"
#include "actors/cluster/gossip.hpp"
#include "actors/cluster/heartbeat.hpp"
#include "actors/cluster/mingle.hpp"
#include "actors/consumer/consumer.hpp"
#include "actors/consumer/forwarder.hpp"
#include "actors/consumer/incarnation.hpp"
#include "actors/consumer/listener.hpp"
#include "actors/consumer/publisher.hpp"
#include "actors/consumer/reader.hpp"
#include "actors/consumer/state_db.hpp"
#include "actors/consumer/state_keeper.hpp"
#include "actors/consumer/timer.hpp"
#include "actors/consumer/watchdog.hpp"
#include "actors/consumer/writer.hpp"
#include "actors/multiplexer_scheduler.hpp"
#include "actors/pool/autoscaler.hpp"
#include "actors/pool/child_worker.hpp"
#include "actors/pool/cooperative_worker.hpp"
#include "actors/pool/fork_server.hpp"
#include "actors/pool/pool_supervisor.hpp"
#include "actors/pool/thread_worker.hpp"
#include "actors/root.hpp"
#include "actors/supervision/supervisor.hpp"
#include "actors/watch.hpp"
#include "protocol/child/frames.hpp"
#include "protocol/client/broadcast_settings.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/task/settings.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <thread>

#include <unistd.h>

namespace umbel {

namespace {

using namespace std::chrono_literals;

// -- the tree -------------------------------------------------------------------

std::shared_ptr<incarnation>
begin_incarnation(const worker_config& config,
                  std::shared_ptr<consumed_queues> queues) {
  auto& x = config.settings;
  connection_retry_limits limits;
  limits.again = x.broker_connection_retry;
  limits.again_at_startup =
      x.broker_connection_retry_on_startup.value_or(limits.again);
  limits.max = x.broker_connection_max_retries;
  auto life = std::make_shared<incarnation>(limits);
  life->broker_url = config.settings.broker_url;
  life->result_url = config.settings.result_backend;
  life->options = config.broker;
  life->queues = std::move(queues);
  life->content = {config.settings.accept_content,
                   config.settings.task_body_max};
  life->results = config.settings.result_serializer;
  life->events = to_event_rules(config.settings);
  life->broadcasts = to_broadcast_options(config.settings);
  life->options.incarnation = make_uuid().substr(0, 8);
  life->options.shared = std::make_shared<shared_connections>();
  life->options.tell = [](auto& line) { spdlog::warn("{}", line); };
  return life;
}

/// What a child process is to load, and who it is.
std::string configure_frame(const worker_config& config) {
  std::string result;
  frame::append(result, frame::configure{config.libraries,
                                         config.broker.node.str(),
                                         to_child_settings(config.settings)});
  return result;
}

/// Null if children are not forked.
std::shared_ptr<fork_lines> make_fork_lines(const worker_config& config) {
  if (config.pool != pool_kind::prefork || !config.settings.worker_fork_server)
    return nullptr;
  return std::make_shared<fork_lines>();
}

/// What the pool makes its children with. Threads need the task libraries in
/// this process; a library that cannot be loaded is an error here already.
/// @param lines where processes come from, or null
expected<child_factory> make_children(const worker_config& config,
                                      std::shared_ptr<fork_lines> lines,
                                      std::shared_ptr<call_table> calls) {
  auto node = config.broker.node.str();
  auto settings = to_child_settings(config.settings);
  if (config.pool == pool_kind::prefork) {
    return process_children({config.child_executable, configure_frame(config),
                             std::move(lines)},
                            config.recycling.watches_memory(),
                            std::move(calls));
  }
  auto parsed = parse_runner_settings(node, settings);
  if (!parsed)
    return parsed.error();
  if (config.pool == pool_kind::cooperative)
    return cooperative_children(config.libraries, std::move(*parsed),
                                std::move(calls));
  return thread_children(config.libraries, std::move(*parsed),
                         std::move(calls));
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

/// What is kept from one incarnation to the next.
struct worker_memory {
  std::shared_ptr<revocations> revoked;
  std::shared_ptr<state_db> file; ///< null without -S
  std::shared_ptr<beat_plan> plan; ///< null without -B
  std::shared_ptr<consumed_queues> queues;
};

expected<worker_memory> open_memory(const worker_config& config) {
  worker_memory result;
  result.revoked = std::make_shared<revocations>(config.revocations);
  result.queues = std::make_shared<consumed_queues>(config.broker.queues);
  if (config.beat) {
    auto plan = open_plan(*config.beat);
    if (!plan)
      return plan.error();
    result.plan = std::move(*plan);
  }
  if (config.state_file.empty())
    return result;
  auto file = state_db::open(config.state_file, config.revocations.max);
  if (!file)
    return file.error();
  result.file = std::move(*file);
  auto ids = result.file->load();
  if (!ids)
    return ids.error();
  for (auto& [id, time] : *ids)
    result.revoked->add(id, time);
  return result;
}

consumer_options options_of(const worker_config& config,
                            std::shared_ptr<incarnation> life) {
  // Celery: 0 means no limit.
  auto multiplier = config.settings.worker_prefetch_multiplier;
  if (config.settings.worker_disable_prefetch)
    multiplier = 1; // what is reserved can begin, and nothing else is reserved
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
  result.content = life->content;
  // Children get the same text, and say so if it cannot be read.
  if (auto parsed = parse_runner_settings(config.broker.node.str(),
                                          to_child_settings(config.settings)))
    result.settings = std::make_shared<runner_settings>(std::move(*parsed));
  result.limits = limits_of(config.settings);
  result.lease = config.broker.lease;
  result.recover_interval
      = std::min<std::chrono::milliseconds>(500ms, config.broker.lease / 8);
  result.node = config.broker.node;
  result.max_deliveries = config.settings.worker_max_deliveries;
  result.held_max = config.settings.worker_eta_task_limit.value_or(result.held_max);
  result.rate_of = [&config](const task_options& x) {
    return rate_of(x, config.settings);
  };
  result.on_ready = config.on_ready;
  result.on_running = config.on_running;
  result.is_blocked = [shared = life->options.shared] {
    return shared->blocked > 0;
  };
  result.keeps_unique_keys = keeps_unique_keys(life->broker_url);
  result.interrupt_reader = [life] { life->interrupt_reader(); };
  result.on_drained = [life] { life->end_listening(); };
  return result;
}

/// Enough for a broker that is a network away. RabbitMQ takes the more trouble over
/// each message the more of them are unacknowledged.
constexpr size_t sent_ahead_max = 512;

/// What a broker may send ahead: as much as the consumer may hold.
void limit_prefetch(broker_options& to, const consumer_options& from,
                    const worker_config& config) {
  auto children = config.autoscale ? config.autoscale->max : config.concurrency;
  auto most = children * from.prefetch_multiplier;
  to.prefetch = from.prefetch;
  to.prefetch_max = from.prefetch_fixed && most > 0
                      ? std::max(most, from.prefetch)
                      : std::max(most, sent_ahead_max);
}

child_spec watchdog_spec(std::chrono::milliseconds interval,
                         caf::actor consumer) {
  child_spec result;
  result.id = "watchdog";
  result.start = [=, memory = std::make_shared<watchdog_memory>()](
                   caf::local_actor* parent, const siblings&) {
    return parent->spawn(watchdog, interval, consumer, memory);
  };
  return result;
}

heartbeat_options options_of_heartbeat(const worker_config& config) {
  heartbeat_options result;
  result.interval = config.heartbeat.value_or(result.interval);
  result.version = config.version;
  return result;
}

child_spec heartbeat_spec(const worker_config& config,
                          const control_colleagues& colleagues) {
  child_spec result;
  result.id = "heartbeat";
  result.start = [=, options = options_of_heartbeat(config)](
                   caf::local_actor* parent, const siblings&) {
    return parent->spawn(heartbeat, options, colleagues.consumer,
                         colleagues.events);
  };
  return result;
}

child_spec gossip_spec(const worker_config& config,
                       const control_colleagues& colleagues,
                       const control_options& control) {
  gossip_options options;
  options.node = config.broker.node;
  options.pid = getpid();
  if (auto parsed = parse_runner_settings(options.node.str(),
                                          to_child_settings(config.settings)))
    options.settings = std::make_shared<runner_settings>(std::move(*parsed));
  options.lease = config.broker.lease;
  options.clock = control.clock;
  child_spec result;
  result.id = "gossip";
  result.start = [=](caf::local_actor* parent, const siblings& started) {
    return parent->spawn(gossip, options, colleagues.events,
                         colleagues.consumer, started.get("writer"));
  };
  return result;
}

child_spec mingle_spec(std::shared_ptr<incarnation> life,
                       const caf::actor& consumer,
                       const control_options& control) {
  mingle_options options;
  options.node = life->options.node;
  options.content = life->content;
  options.control_exchange = life->broadcasts.control_exchange;
  options.reply_exchange = life->broadcasts.reply_exchange;
  options.clock = control.clock;
  options.open = [life](const std::string& address) {
    return open_mailbox(life->broker_url, life->options,
                        life->broadcasts.reply_exchange, address,
                        life->broadcasts);
  };
  child_spec result;
  result.id = "mingle";
  result.restart = restart::transient;
  result.start = [=](caf::local_actor* parent, const siblings& started) {
    return parent->spawn<caf::detached>(mingle, options, consumer,
                                        started.get("writer"));
  };
  return result;
}

child_spec control_spec(const control_options& options,
                        const control_colleagues& colleagues) {
  child_spec result;
  result.id = "control";
  result.start = [=](caf::local_actor* parent, const siblings& started) {
    auto whom = colleagues;
    whom.writer = started.get("writer");
    whom.gossip = started.get("gossip");
    return parent->spawn<caf::detached>(umbel::control, options,
                                        std::move(whom));
  };
  return result;
}

bool gossips(const worker_config& config) {
  return config.gossip && carries_gossip(config.settings.broker_url);
}

/// Whether anything that is broadcast concerns the worker.
bool listens(const worker_config& config, const incarnation& life) {
  return config.settings.worker_enable_remote_control || gossips(config)
         || !broadcast_routes(life).empty();
}

child_spec listener_spec(std::shared_ptr<incarnation> life,
                         caf::actor consumer) {
  child_spec result;
  result.id = "listener";
  result.start = [=](caf::local_actor* parent, const siblings& started) {
    return parent->spawn<caf::detached>(listener, life, consumer,
                                        started.get("control"),
                                        started.get("gossip"),
                                        started.get("writer"));
  };
  return result;
}

std::vector<child_spec> connection_specs(const worker_config& config,
                                         std::shared_ptr<incarnation> life,
                                         control_colleagues colleagues,
                                         const control_options& control,
                                         std::shared_ptr<call_table> calls) {
  auto consumer = colleagues.consumer;
  child_spec publish;
  publish.id = "publisher";
  publish.start = [=](caf::local_actor* parent, const siblings&) {
    return parent->spawn<caf::detached>(publisher, life);
  };
  child_spec write;
  write.id = "writer";
  write.start = [=](caf::local_actor* parent, const siblings& started) {
    return parent->spawn<caf::detached>(writer, life, consumer,
                                        started.get("publisher"));
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
  caf::actor told;
  if (config.settings.task_send_sent_event)
    told = colleagues.events;
  child_spec call;
  call.id = "caller";
  call.start = [=](caf::local_actor* parent, const siblings&) {
    return parent->spawn<caf::detached>(caller, life, calls, told);
  };
  std::vector<child_spec> result;
  auto& deaf = config.settings.worker_deaf_timeout;
  if (deaf.count() > 0)
    result.push_back(watchdog_spec(deaf, consumer));
  if (may_block(config.settings.broker_url))
    result.push_back(std::move(publish));
  result.insert(result.end(), {std::move(write), std::move(read),
                               std::move(forward), std::move(call)});
  if (config.heartbeat)
    result.push_back(heartbeat_spec(config, colleagues));
  if (gossips(config))
    result.push_back(gossip_spec(config, colleagues, control));
  if (config.settings.worker_enable_remote_control)
    result.push_back(control_spec(control, colleagues));
  if (listens(config, *life))
    result.push_back(listener_spec(life, consumer));
  if (config.mingle && carries_gossip(config.settings.broker_url))
    result.push_back(mingle_spec(life, consumer, control));
  return result;
}

supervisor_flags connection_flags() {
  supervisor_flags flags;
  flags.strategy = strategy::rest_for_one;
  flags.backoff = {50ms, 2s};
  // How often is said by `connection_retries`: it knows which attempt failed.
  flags.intensity = {unlimited_restarts, 1h};
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

child_spec event_dispatcher_spec(const event_options& options) {
  child_spec result;
  result.id = "event dispatcher";
  result.start = [=](caf::local_actor* parent, const siblings&) {
    return parent->spawn(event_dispatcher, options);
  };
  return result;
}

event_options options_of_events(const worker_config& config) {
  event_options result;
  result.source = {config.broker.node, getpid(),
                   config.settings.event_serializer,
                   config.settings.event_exchange};
  *result.task_events = config.settings.worker_send_task_events;
  return result;
}

child_spec state_keeper_spec(std::shared_ptr<state_db> file) {
  child_spec result;
  result.id = "state keeper";
  result.start = [=](caf::local_actor* parent, const siblings&) {
    return parent->spawn<caf::detached>(state_keeper, file);
  };
  return result;
}

child_spec fork_server_spec(const worker_config& config,
                            std::shared_ptr<fork_lines> lines) {
  fork_server_options options;
  options.executable = config.child_executable;
  options.configure_frame = configure_frame(config);
  options.lines = std::move(lines);
  options.alive = config.settings.worker_proc_alive_timeout;
  return fork_server_spec(options);
}

std::vector<child_spec> worker_specs(const worker_config& config,
                                     const child_factory& children,
                                     std::shared_ptr<fork_lines> lines,
                                     std::shared_ptr<call_table> calls,
                                     const worker_memory& memory,
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
    options.alive = config.settings.worker_proc_alive_timeout;
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
  auto told = options_of_events(config);
  child_spec consume;
  consume.id = "consumer";
  consume.start = [=, &config](caf::local_actor* parent,
                               const siblings& started) {
    *life = begin_incarnation(config, memory.queues);
    auto options = options_of(config, *life);
    options.has_listener = listens(config, **life);
    limit_prefetch((*life)->options, options, config);
    options.revoked = memory.revoked;
    if (memory.file)
      options.state_keeper = started.get("state keeper");
    options.events = started.get("event dispatcher");
    options.task_events = told.task_events;
    options.sent_events = config.settings.task_send_sent_event;
    if (config.heartbeat)
      options.on_draining = [events = options.events,
                             how = options_of_heartbeat(config)](auto& runs) {
        caf::anon_send(events, emit_event{"worker-offline",
                                          heartbeat_fields(how, runs), {}});
      };
    auto hdl = parent->spawn(consumer, std::move(options),
                             started.get("pool"), started.get("timer"));
    caf::anon_send(root, consumer_up{hdl});
    return hdl;
  };
  child_spec connect;
  connect.id = "connections";
  connect.type = child_type::supervisor;
  control_options control;
  control.config = &config;
  control.clock = told.clock;
  control.queues = memory.queues;
  connect.start = [=, &config](caf::local_actor* parent,
                               const siblings& started) {
    control_colleagues colleagues;
    colleagues.root = root;
    colleagues.pool = started.get("pool");
    if (config.autoscale)
      colleagues.autoscaler = started.get("autoscaler");
    colleagues.consumer = started.get("consumer");
    colleagues.events = started.get("event dispatcher");
    return parent->spawn(supervisor, "connections", connection_flags(),
                         connection_specs(config, *life, std::move(colleagues),
                                          control, calls));
  };
  // Reader, writer and publisher one after another, each with its own time.
  connect.shutdown = may_block(config.settings.broker_url) ? 19s : 13s;
  std::vector<child_spec> result{std::move(time)};
  if (lines)
    result.push_back(fork_server_spec(config, std::move(lines)));
  result.push_back(std::move(pool));
  if (config.autoscale)
    result.push_back(autoscaler_spec(config));
  if (memory.file)
    result.push_back(state_keeper_spec(memory.file));
  result.push_back(event_dispatcher_spec(told));
  result.push_back(std::move(consume));
  result.push_back(std::move(connect));
  if (memory.plan) // last: its tasks find everything at work
    result.push_back(beat_spec(*config.beat, memory.plan));
  return result;
}

root_options options_of_root(const worker_config& config,
                             const child_factory& children,
                             std::shared_ptr<fork_lines> lines,
                             std::shared_ptr<call_table> calls,
                             const worker_memory& memory) {
  root_options result;
  result.soft_shutdown_timeout = config.settings.worker_soft_shutdown_timeout;
  result.soft_shutdown_on_idle =
      config.settings.worker_enable_soft_shutdown_on_idle;
  result.notify = config.notify;
  result.start_tree = [=, &config](caf::event_based_actor* self) {
    supervisor_flags flags;
    flags.strategy = strategy::one_for_all;
    flags.intensity = {3, 60s};
    return self->spawn(supervisor, "worker", flags,
                       worker_specs(config, children, lines, calls, memory,
                                    self));
  };
  return result;
}

/// Whether all actors end soon after the root. One that its supervisor had to leave
/// behind does not, until the broker answers or a time limit of minutes is over.
bool all_end(caf::actor_system& system) {
  auto deadline = std::chrono::steady_clock::now() + 1s;
  while (system.registry().running() > 0) {
    if (std::chrono::steady_clock::now() > deadline)
      return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

} // namespace

worker_end run_worker(const worker_config& config) {
  auto calls = std::make_shared<call_table>();
  auto lines = make_fork_lines(config);
  auto made = make_children(config, lines, calls);
  if (!made) {
    spdlog::critical("{}", made.error().what);
    return {worker_end::finished, 1};
  }
  auto children = std::make_unique<child_factory>(std::move(*made));
  auto memory = open_memory(config);
  if (!memory) {
    spdlog::critical("{}", memory.error().what);
    return {worker_end::finished, 1};
  }
  auto main = std::make_shared<watch>(config);
  auto system_config = std::make_unique<caf::actor_system_config>();
  system_config->load<multiplexer_scheduler>().load<caf::io::middleman>();
  system_config->set("middleman.workers", size_t{0});
  auto system = std::make_unique<caf::actor_system>(*system_config);
  auto result = [&] {
    auto hdl = system->spawn(
        root, options_of_root(config, *children, lines, calls, *memory));
    hdl->attach_functor([main](const caf::error& x) { main->on_end(x); });
    return main->run(*system, hdl);
  }();
  auto leave = result.how == worker_end::at_once || !all_end(*system);
  if (leave && result.how == worker_end::finished)
    result.how = worker_end::at_once;
  // They would wait for every actor and thread to end. The process is about to.
  if (leave) {
    [[maybe_unused]] auto threads = children.release();
    [[maybe_unused]] auto leaked = system.release();
    [[maybe_unused]] auto too = system_config.release();
  }
  return result;
}

} // namespace umbel
