#include "apps/configure.hpp"

#include "apps/beat_command.hpp"
#include "apps/consumed_queues.hpp"
#include "apps/logging.hpp"
#include "apps/version.hpp"
#include "protocol/backend/file/result_folder.hpp"
#include "protocol/broker/amqp/address.hpp"
#include "protocol/broker/filesystem/folders.hpp"
#include "protocol/broker/queue_binding.hpp"
#include "protocol/broker/redis/address.hpp"
#include "protocol/broker/scheme_advice.hpp"
#include "protocol/broker/sqlite/address.hpp"
#include "protocol/broker/subscription.hpp"
#include "protocol/broker/url.hpp"
#include "protocol/client/node_format.hpp"
#include "protocol/task/library.hpp"
#include "protocol/webhook/endpoint.hpp"

#include <algorithm>
#include <charconv>
#include <thread>
#include <tuple>

#include <unistd.h>

namespace umbel {

namespace {

using namespace std::chrono_literals;

/// The task library when nobody names one.
constexpr const char* default_app = "tasks";

/// Processes or threads of one worker.
constexpr size_t children_max = 4'096;

std::string variable(const environment& variables, const std::string& name) {
  auto found = variables.find(name);
  return found == variables.end() ? std::string{} : found->second;
}

expected<pool_kind> parse_pool(const std::string& name) {
  if (name == "prefork" || name == "processes")
    return pool_kind::prefork;
  if (name == "threads")
    return pool_kind::threads;
  if (name == "eventlet" || name == "gevent")
    return pool_kind::cooperative;
  if (name == "solo")
    return pool_kind::solo;
  return error{errc::invalid_setting, "pool '" + name + "' is not known"};
}

// A URL that cannot be meant is found here, not by a connection that fails and
// fails again. It is never shown as a whole: it may hold a password.
expected<void> check_url(const std::string& setting, const std::string& text,
                         std::initializer_list<std::string_view> schemes) {
  auto invalid = [&](const std::string& why) {
    return error{errc::invalid_setting, setting + ": " + why};
  };
  if (amqp::is_amqp(text.substr(0, text.find("://")))
      && std::ranges::find(schemes, "amqp") != schemes.end()) {
    auto addresses = amqp::to_addresses(text);
    return addresses ? expected<void>{} : invalid(addresses.error().what);
  }
  auto parsed = parse_url(text);
  if (!parsed)
    return invalid(parsed.error().what);
  if (parsed->scheme == "redis" || parsed->scheme == "rediss"
      || parsed->scheme == "redis+socket" || parsed->scheme == "unix") {
    auto address = redis::to_address(*parsed);
    return address ? expected<void>{} : invalid(address.error().what);
  }
  if (sqlite::is_sqlite(parsed->scheme)) {
    auto address = sqlite::to_address(*parsed);
    return address ? expected<void>{} : invalid(address.error().what);
  }
  if (std::ranges::find(schemes, parsed->scheme) != schemes.end()) {
    if (parsed->scheme != "file")
      return {};
    auto folder = file_backend::result_folder::open(text, {});
    return folder ? expected<void>{} : invalid(folder.error().what);
  }
  if (auto advice = advice_on_scheme(parsed->scheme); !advice.empty())
    return invalid(advice);
  std::string known;
  for (auto scheme : schemes)
    known += (known.empty() ? "" : ", ") + std::string{scheme} + "://";
  return invalid("the scheme '" + parsed->scheme + "' is not one of " + known);
}

/// Calls `parse` on a setting that is given.
template <class T>
expected<void> read(std::optional<T>& x, const char* setting,
                    const std::string& text,
                    expected<T> (*parse)(const std::string&)) {
  if (text.empty())
    return {};
  auto value = parse(text);
  if (!value)
    return error{errc::invalid_setting,
                 std::string{setting} + ": " + value.error().what};
  x = *value;
  return {};
}

expected<void> read_path(std::string& x, const char* setting,
                         const std::string& text, const node_name& node) {
  auto path = expand_node_path(text, node, setting);
  if (!path)
    return path.error();
  x = *path;
  return {};
}

/// Celery knows the environment variable alone.
expected<std::chrono::milliseconds>
autoscale_keepalive(const settings& x, const environment& variables) {
  auto seconds = 30.0;
  std::string name = "worker_autoscale_keepalive";
  if (x.worker_autoscale_keepalive) {
    seconds = std::chrono::duration<double>{*x.worker_autoscale_keepalive}
                  .count();
  } else if (auto text = variable(variables, "AUTOSCALE_KEEPALIVE");
             !text.empty()) {
    name = "AUTOSCALE_KEEPALIVE in the environment";
    auto end = text.data() + text.size();
    auto [ptr, ec] = std::from_chars(text.data(), end, seconds);
    if (ec != std::errc{} || ptr != end)
      seconds = 0;
  }
  // The negation catches what is not a number.
  if (!(seconds >= 0.001 && seconds <= INT32_MAX))
    return error{errc::invalid_setting,
                 name + ": expected seconds, more than 0"};
  return std::chrono::milliseconds{static_cast<int64_t>(seconds * 1000)};
}

/// Celery knows these as environment variables alone.
expected<void> read_revocation_limits(revocation_limits& x,
                                      const environment& variables) {
  for (std::string name :
       {"CELERY_WORKER_REVOKES_MAX", "CELERY_WORKER_REVOKE_EXPIRES"}) {
    auto text = variable(variables, name);
    if (text.empty())
      continue;
    double value = 0;
    auto end = text.data() + text.size();
    auto [ptr, ec] = std::from_chars(text.data(), end, value);
    if (ec != std::errc{} || ptr != end || !(value >= 1 && value <= INT32_MAX))
      return error{errc::invalid_setting,
                   name + " in the environment: '" + text
                       + "' is not a number from 1 up"};
    if (name.ends_with("MAX"))
      x.max = static_cast<size_t>(value);
    else
      x.expires = std::chrono::seconds{static_cast<int64_t>(value)};
  }
  return {};
}

expected<void> fill_recycling(worker_config& config,
                              std::vector<std::string>& warnings) {
  auto& x = config.settings;
  recycling_limits limits;
  limits.max_tasks = x.worker_max_tasks_per_child.value_or(0);
  limits.max_memory = x.worker_max_memory_per_child.value_or(0);
  limits.hard_max_memory = x.worker_hard_max_memory_per_child.value_or(0);
  if (limits.hard_max_memory > 0
      && limits.max_memory > limits.hard_max_memory)
    return error{errc::invalid_setting,
                 "worker_hard_max_memory_per_child ("
                     + std::to_string(limits.hard_max_memory)
                     + " KiB) is less than worker_max_memory_per_child ("
                     + std::to_string(limits.max_memory) + " KiB)"};
  if (config.pool == pool_kind::prefork)
    config.recycling = limits;
  else if (limits.max_tasks > 0 || limits.watches_memory())
    warnings.push_back("the pool '" + x.worker_pool
                       + "' has no child processes: the limits of tasks and "
                         "memory per child have no effect");
  return {};
}

// Celery takes limits in any order. A soft one behind the hard one never comes
// into effect, so it is a mistake.
expected<void> check_limits(const worker_config& config,
                            std::vector<std::string>& warnings) {
  auto soft = config.settings.task_soft_time_limit.value_or(0ms);
  auto hard = config.settings.task_time_limit.value_or(0ms);
  if (hard > 0ms && soft > hard)
    return error{errc::invalid_setting,
                 "task_soft_time_limit (--soft-time-limit) is longer than "
                 "task_time_limit (--time-limit): it would never be reached"};
  if (hard > 0ms
      && (config.pool == pool_kind::threads || config.pool == pool_kind::solo))
    warnings.push_back("task_time_limit: a thread cannot be killed; with the "
                       "pool '"
                       + config.settings.worker_pool
                       + "' it asks a task to end, as task_soft_time_limit "
                         "does");
  return {};
}

/// Here, so that a mistake is told before anything has begun.
expected<void> check_webhooks(const settings& x) {
  auto found = webhook::read_endpoints(
      {{"webhook_tasks", x.webhook_tasks},
       {"webhook_allowed_hosts", json::value_from(x.webhook_allowed_hosts)},
       {"webhook_allowed_networks",
        json::value_from(x.webhook_allowed_networks)}});
  return found ? expected<void>{} : found.error();
}

} // namespace

environment current_environment() {
  environment result;
  for (auto entry = environ; *entry != nullptr; ++entry) {
    std::string_view text{*entry};
    auto equals = text.find('=');
    if (equals != text.npos)
      result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

expected<settings> configure_settings(const options& given,
                                      const environment& variables,
                                      std::vector<std::string>& warnings) {
  settings_sources sources;
  sources.file = given.config.empty() ? variable(variables, "CELERY_CONFIG")
                                      : given.config;
  sources.environment = variables;
  sources.assignments = given.assignments;
  auto loaded = load_settings(sources, warnings);
  if (!loaded)
    return loaded.error();
  auto& x = *loaded;
  if (auto done = check_url("broker_url", x.broker_url,
                            {"redis", "redis+socket", "unix", "amqp", "sqlite",
                             "sqla+sqlite", "filesystem", "memory"});
      !done)
    return done.error();
  if (x.result_backend.empty()
      && amqp::is_amqp(x.broker_url.substr(0, x.broker_url.find("://")))) {
    x.result_backend = "disabled://";
    warnings.push_back("result_backend is not set, and RabbitMQ keeps no "
                       "results: there will be none");
  } else if (x.result_backend.empty()
             && x.broker_url.starts_with("filesystem://")) {
    x.result_backend = "disabled://";
    warnings.push_back("result_backend is not set, and filesystem:// keeps no "
                       "results: there will be none; file:///folder would do");
  } else if (x.result_backend.empty()) {
    x.result_backend = x.broker_url;
    if (sqlite::is_kombu(x.broker_url.substr(0, x.broker_url.find("://"))))
      warnings.push_back("result_backend is not set: results go into a table of "
                         "Umbel's, which Celery does not read; file:///folder is "
                         "for both");
  }
  if (auto done =
          check_url("result_backend", x.result_backend,
                    {"redis", "redis+socket", "unix", "sqlite", "file", "memory",
                     "amqp", "rpc", "disabled"});
      !done)
    return done.error();
  // Answers go through reply.<it>.pidbox, and are known by that.
  if (x.control_exchange.empty() || x.control_exchange.starts_with("reply."))
    return error{errc::invalid_setting,
                 "control_exchange: '" + x.control_exchange
                   + "' is empty or begins with reply."};
  for (auto [what, exclusive, durable] :
       {std::tuple{"event", x.event_queue_exclusive, x.event_queue_durable},
        std::tuple{"control", x.control_queue_exclusive,
                   x.control_queue_durable}})
    if (exclusive && durable)
      return error{errc::invalid_setting,
                   std::string{what} + "_queue_exclusive and " + what
                     + "_queue_durable cannot both be true"};
  if (x.broker_url.starts_with("filesystem://")) {
    // They are made by the user that the program becomes.
    auto folders
      = filesystem::name_folders(x.broker_url, to_broker_options(x));
    if (!folders)
      return error{folders.error().code, "broker_url: " + folders.error().what};
    warnings.push_back("with filesystem:// nodes do not hear each other (no gossip, no "
                       "mingle), and Celery's clients need kombu 5.3 for "
                       "remote control and events");
  }
  return loaded;
}

expected<worker_config> configure_worker(const options& given,
                                         const environment& variables,
                                         std::vector<std::string>& warnings) {
  auto loaded = configure_settings(given, variables, warnings);
  if (!loaded)
    return loaded.error();
  worker_config config;
  auto& x = config.settings = std::move(*loaded);
  config.broker = to_broker_options(x);
  if (amqp::is_amqp(x.broker_url.substr(0, x.broker_url.find("://"))))
    if (auto fine = amqp::check_options(config.broker); !fine)
      return fine.error();
  auto node = expand_node_name(given.hostname, host_name());
  if (!node)
    return node.error();
  config.broker.node = *node;
  auto queues = queues_of(given, x, warnings);
  if (!queues)
    return queues.error();
  config.broker.queues = std::move(*queues);
  if (auto done = bind_queues(config.broker, x); !done)
    return done.error();
  auto pool = parse_pool(x.worker_pool);
  if (!pool)
    return pool.error();
  config.pool = *pool;
  config.autoscale = given.autoscale;
  if (config.autoscale) {
    auto keepalive = autoscale_keepalive(x, variables);
    if (!keepalive)
      return keepalive.error();
    config.autoscale_keepalive = *keepalive;
  }
  if (config.pool == pool_kind::solo) {
    if (config.autoscale)
      return error{errc::invalid_setting, "--autoscale: the pool 'solo' runs "
                                          "one task at a time; use it with "
                                          "prefork, threads or gevent"};
    if (x.worker_concurrency.value_or(1) > 1)
      warnings.push_back("the pool 'solo' runs one task at a time: concurrency "
                         "is 1, not "
                         + std::to_string(*x.worker_concurrency));
    config.concurrency = 1;
  } else if (config.autoscale) {
    config.concurrency = std::max<size_t>(config.autoscale->min, 1);
  } else {
    config.concurrency = x.worker_concurrency.value_or(
        std::max(std::thread::hardware_concurrency(), 1u));
  }
  auto largest = config.autoscale ? config.autoscale->max : config.concurrency;
  if (config.pool != pool_kind::cooperative && largest > children_max)
    return error{errc::invalid_setting,
                 std::to_string(largest) + " children are too many for the pool '"
                     + x.worker_pool + "': at most "
                     + std::to_string(children_max)
                     + "; with gevent there may be more tasks at once"};
  if (auto done = fill_recycling(config, warnings); !done)
    return done.error();
  if (auto done = check_limits(config, warnings); !done)
    return done.error();
  if (auto done = read_revocation_limits(config.revocations, variables); !done)
    return done.error();
  if (auto done = read_path(config.state_file, "worker_state_db",
                            x.worker_state_db.value_or(""), config.broker.node);
      !done)
    return done.error();
  if (auto fine = check_webhooks(x); !fine)
    return fine.error();
  if (!x.timezone.empty() && x.timezone != "UTC")
    warnings.push_back("timezone: times without a zone are taken as UTC yet");
  if (x.task_default_priority)
    warnings.push_back("task_default_priority is for clients: it has no effect "
                       "on a worker");
  if (given.without_heartbeat)
    config.heartbeat.reset();
  else
    config.heartbeat = std::chrono::seconds{given.heartbeat_interval};
  // Somebody who misses two heartbeats is dead: what he held goes to others.
  config.broker.lease = 2 * config.heartbeat.value_or(2s);
  // RabbitMQ has no lease; but within each, connections are looked after thrice.
  if (auto& from = config.settings;
      from.broker_heartbeat.count() > 0
      && amqp::is_amqp(from.broker_url.substr(0, from.broker_url.find("://"))))
    config.broker.lease = std::clamp<std::chrono::milliseconds>(
        3 * std::chrono::milliseconds{from.broker_heartbeat}
            / from.broker_heartbeat_checkrate,
        std::min<std::chrono::milliseconds>(3s, config.broker.lease), config.broker.lease);
  config.gossip = !given.without_gossip;
  config.mingle = !given.without_mingle;
  if (given.beat) {
    auto beat = configure_beat(x);
    if (!beat)
      return beat.error();
    config.beat = std::move(*beat);
  }
  if (variables.contains("CELERY_CONFIG_MODULE"))
    warnings.push_back("CELERY_CONFIG_MODULE names a Python module; settings "
                       "are read from the JSON file that CELERY_CONFIG names");
  config.apps = given.apps;
  if (config.apps.empty())
    config.apps = split_list(variable(variables, "CELERY_APP"));
  // Who declares webhooks needs no library.
  if (config.apps.empty() && x.webhook_tasks.empty())
    config.apps = {default_app};
  for (auto more : {&x.imports, &x.include})
    for (auto& name : *more)
      if (std::ranges::find(config.apps, name) == config.apps.end())
        config.apps.push_back(name);
  config.version = version;
  config.log_level = *log_level(given.loglevel);
  config.color = !given.no_color && x.worker_logfile.empty()
                 && x.worker_log_color.value_or(true)
                 && shows_colors(STDERR_FILENO);
  return config;
}

expected<process_config> configure_process(const options& given,
                                           const worker_config& config) {
  auto& x = config.settings;
  auto& node = config.broker.node;
  process_config result;
  result.detach = given.detach;
  result.purge = given.purge;
  result.executable = x.worker_executable;
  for (auto done :
       {read_path(result.logfile, "worker_logfile", x.worker_logfile, node),
        read_path(result.pidfile, "worker_pidfile", x.worker_pidfile, node),
        read(result.become.user, "worker_uid", x.worker_uid.text, parse_user),
        read(result.become.group, "worker_gid", x.worker_gid.text, parse_group),
        read(result.umask, "worker_umask", x.worker_umask, parse_umask)})
    if (!done)
      return done.error();
  return result;
}

expected<void> find_files(worker_config& config) {
  auto folders = task_library_folders();
  for (auto& app : config.apps) {
    auto library = find_task_library(app, folders);
    if (!library)
      return library.error();
    config.libraries.push_back(*library);
  }
  auto child = find_child_program();
  if (child)
    config.child_executable = *child;
  else if (config.pool == pool_kind::prefork)
    return child.error();
  return {}; // others need it for commands of the libraries alone
}

} // namespace umbel
