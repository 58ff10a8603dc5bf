#include "actors/worker_tree.hpp"

#include "actors/cluster/event_dispatcher.hpp"
#include "actors/connection_tree.hpp"
#include "actors/consumer/consumer.hpp"
#include "actors/consumer/publisher.hpp"
#include "actors/consumer/state_keeper.hpp"
#include "actors/consumer/timer.hpp"
#include "actors/pool/autoscaler.hpp"
#include "actors/pool/child_worker.hpp"
#include "actors/pool/cooperative_worker.hpp"
#include "actors/pool/fork_server.hpp"
#include "actors/pool/thread_worker.hpp"
#include "actors/root.hpp"
#include "actors/supervision/supervisor.hpp"
#include "protocol/child/frames.hpp"
#include "protocol/task/settings.hpp"

#include <caf/all.hpp>

#include <algorithm>

#include <unistd.h>

namespace umbel {

namespace {

using namespace std::chrono_literals;

/// What a child process is to load, and who it is.
std::string configure_frame(const worker_config& config) {
  std::string result;
  frame::append(result, frame::configure{config.libraries,
                                         config.broker.node.str(),
                                         to_child_settings(config.settings)});
  return result;
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

} // namespace

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

std::shared_ptr<fork_lines> make_fork_lines(const worker_config& config) {
  if (config.pool != pool_kind::prefork || !config.settings.worker_fork_server)
    return nullptr;
  return std::make_shared<fork_lines>();
}

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
                             how = heartbeat_options_of(config)](auto& runs) {
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

} // namespace umbel
