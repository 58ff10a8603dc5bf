#include "actors/connection_tree.hpp"

#include "actors/caller/caller.hpp"
#include "actors/cluster/gossip.hpp"
#include "actors/cluster/mingle.hpp"
#include "actors/consumer/consumer.hpp"
#include "actors/consumer/forwarder.hpp"
#include "actors/consumer/listener.hpp"
#include "actors/consumer/publisher.hpp"
#include "actors/consumer/reader.hpp"
#include "actors/consumer/watchdog.hpp"
#include "actors/consumer/writer.hpp"
#include "protocol/client/broadcast_settings.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/task/settings.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <unistd.h>

namespace umbel {

namespace {

using namespace std::chrono_literals;

bool gossips(const worker_config& config) {
  return config.gossip && carries_gossip(config.settings.broker_url);
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

child_spec heartbeat_spec(const worker_config& config,
                          const control_colleagues& colleagues) {
  child_spec result;
  result.id = "heartbeat";
  result.start = [=, options = heartbeat_options_of(config)](
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

} // namespace

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

bool listens(const worker_config& config, const incarnation& life) {
  return config.settings.worker_enable_remote_control || gossips(config)
         || !broadcast_routes(life).empty();
}

heartbeat_options heartbeat_options_of(const worker_config& config) {
  heartbeat_options result;
  result.interval = config.heartbeat.value_or(result.interval);
  result.version = config.version;
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

} // namespace umbel
