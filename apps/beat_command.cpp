#include "apps/beat_command.hpp"

#include "apps/daemon/detach.hpp"
#include "apps/daemon/identity.hpp"
#include "apps/daemon/init_process.hpp"
#include "apps/daemon/pidfile.hpp"
#include "apps/daemon/service_manager.hpp"
#include "apps/exit_status.hpp"
#include "apps/logging.hpp"
#include "apps/remote/remote_session.hpp"
#include "protocol/client/routing_settings.hpp"
#include "protocol/task/library.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sys/stat.h>
#include <unistd.h>

namespace umbel {

namespace {

using namespace std::chrono_literals;

/// How long --detach waits for a beat that is alive and not ready, because its
/// broker is away.
constexpr std::chrono::seconds launch_patience{30};

/// All of them delete their results by themselves.
constexpr std::string_view expiring_stores[]
  = {"redis", "rediss", "redis+socket", "unix", "sqlite",
     "sqla+sqlite", "sqlalchemy+sqlite", "memory", "disabled", "rpc",
     "amqp", "amqps", "pyamqp", "librabbitmq"};

/// Celery's default, in each of the forms that it takes.
constexpr std::string_view known_schedulers[]
  = {"celery.beat:PersistentScheduler", "celery.beat.PersistentScheduler",
     "PersistentScheduler"};

bool expires_by_itself(const std::string& url) {
  auto scheme = url.substr(0, url.find(':'));
  return std::ranges::find(expiring_stores, scheme) != std::end(expiring_stores);
}

} // namespace

expected<beat_config> configure_beat(const settings& x) {
  if (std::ranges::find(known_schedulers, x.beat_scheduler)
      == std::end(known_schedulers))
    return error{errc::invalid_setting,
                 "beat_scheduler (--scheduler): '" + x.beat_scheduler
                   + "' is a Python class; there is only PersistentScheduler"};
  auto zone = schedule::time_zone::find(x.timezone);
  if (!zone)
    return error{errc::invalid_setting, "timezone: " + zone.error().what};
  auto entries = schedule::parse_entries(x.beat_schedule, *zone);
  if (!entries)
    return entries.error();
  beat_config result;
  auto& plan = result.plan;
  plan.entries = std::move(*entries);
  if (x.result_expires.value_or(0s) > 0s && !expires_by_itself(x.result_backend)
      && !x.beat_schedule.contains("celery.backend_cleanup"))
    plan.entries.push_back(schedule::backend_cleanup(*zone));
  body_form form{x.task_serializer, x.task_compression.value_or(compression::none)};
  for (auto& entry : plan.entries)
    entry.call.form = form;
  plan.parse = [zone = *zone, form](const std::string& entry, const std::string& definition)
    -> expected<schedule::entry> {
    auto object = parse_json(definition);
    if (!object)
      return error{errc::malformed, "entry '" + entry + "': " + object.error().what};
    auto result = schedule::parse_entry(entry, *object, zone);
    if (result)
      result->call.form = form;
    return result;
  };
  plan.zone = zone->name();
  plan.deadline = x.beat_cron_starting_deadline;
  if (x.beat_sync_every > 0)
    result.batch_max = std::min(result.batch_max, x.beat_sync_every);
  result.broker_url = x.broker_url;
  result.broker = to_broker_options(x);
  result.sent_events = x.task_send_sent_event;
  result.event_serializer = x.event_serializer;
  result.routing = to_routing(x);
  for (auto& entry : plan.entries) {
    auto call = entry.call;
    if (auto done = result.routing.address(call, entry.options); !done)
      return error{errc::invalid_setting, "beat_schedule, entry '" + entry.name
                                            + "': " + done.error().what};
  }
  result.memory = x.beat_schedule_filename;
  // A URL can be read now, a file is not touched yet.
  if (result.memory.find("://") != std::string::npos)
    if (auto place = open_schedule(result.memory, result.broker_url, result.broker,
                                   database_role::guest);
        !place)
      return place.error();
  if (x.beat_max_loop_interval > 0ms)
    result.max_interval = x.beat_max_loop_interval;
  return result;
}

expected<void> add_library_tasks(beat_config& to, const settings& x,
                                 const std::vector<std::string>& libraries) {
  if (libraries.empty())
    return {};
  auto child = find_child_program();
  if (!child)
    return child.error();
  periodic_tasks found{*child, libraries};
  if (auto done = found.load(); !done)
    return done.error();
  for (auto& [name, value] : found.entries()) {
    if (x.beat_schedule.contains(name))
      continue;
    auto entry = to.plan.parse(name, to_json(value));
    if (!entry)
      return entry.error();
    entry->lazy = found.is_lazy(entry->name);
    to.plan.entries.push_back(std::move(*entry));
  }
  to.libraries = std::move(found);
  return {};
}

namespace {

/// The libraries that -A or CELERY_APP names; other than a worker, a beat needs none.
expected<std::vector<std::string>> libraries_of(const options& given,
                                                const environment& variables) {
  auto apps = given.apps;
  if (auto found = variables.find("CELERY_APP");
      apps.empty() && found != variables.end())
    apps = split_list(found->second);
  std::vector<std::string> result;
  for (auto& app : apps) {
    auto library = find_task_library(app, task_library_folders());
    if (!library)
      return library.error();
    result.push_back(std::move(*library));
  }
  return result;
}

/// User, group and mask.
expected<void> settle(const settings& x) {
  identity who;
  if (!x.beat_umask.empty()) {
    auto mask = parse_umask(x.beat_umask);
    if (!mask)
      return mask.error();
    umask(*mask);
  }
  if (auto& name = x.beat_uid.text; !name.empty()) {
    auto user = parse_user(name);
    if (!user)
      return error{user.error().code, "beat_uid: " + user.error().what};
    who.user = *user;
  }
  if (auto& name = x.beat_gid.text; !name.empty()) {
    auto group = parse_group(name);
    if (!group)
      return error{group.error().code, "beat_gid: " + group.error().what};
    who.group = *group;
  }
  return become(who);
}

} // namespace

int run_beat_command(const std::string& name, const options& given) {
  complete_standard_streams();
  if (auto status = run_as_init(name))
    return *status;
  if (!given.workdir.empty() && chdir(given.workdir.c_str()) != 0)
    return refuse(name,
                  "option --workdir: cannot change to '" + given.workdir
                    + "': " + std::strerror(errno),
                  exit_usage);
  auto variables = current_environment();
  std::vector<std::string> warnings;
  auto loaded = configure_settings(given, variables, warnings);
  if (!loaded)
    return refuse(name, loaded.error().what, exit_usage);
  auto config = configure_beat(*loaded);
  if (!config)
    return refuse(name, config.error().what, exit_usage);
  auto libraries = libraries_of(given, variables);
  if (!libraries)
    return refuse(name, libraries.error().what, exit_failure);
  start_report report;
  if (given.detach) {
    auto begun = detach(name, launch_patience);
    if (!begun)
      return refuse(name, begun.error().what, exit_failure);
    if (begun->exit_status)
      return *begun->exit_status;
    report = std::move(begun->report);
  }
  if (auto done = settle(*loaded); !done)
    return refuse(name, done.error().what, exit_failure);
  if (auto done = add_library_tasks(*config, *loaded, *libraries); !done)
    return refuse(name, done.error().what, exit_failure);
  auto log = set_up_logging({*log_level(given.loglevel),
                             loaded->worker_log_format,
                             !given.no_color && loaded->beat_logfile.empty()
                               && shows_colors(STDERR_FILENO),
                             loaded->beat_logfile, name});
  if (!log)
    return refuse(name, log.error().what, exit_failure);
  if (given.detach && log->file)
    log->file->take_standard_output();
  for (auto& line : warnings)
    spdlog::warn(line);
  pidfile file;
  if (!loaded->beat_pidfile.empty()) {
    auto acquired = pidfile::acquire(loaded->beat_pidfile);
    if (!acquired)
      return refuse(name, acquired.error().what,
                    acquired.error().code == errc::refused ? exit_cannot_create
                                                           : exit_failure);
    file = std::move(*acquired);
  }
  service_manager manager{variables};
  config->on_running = [&] {
    log->started();
    if (given.detach && !log->file)
      leave_standard_output();
    report.ready();
    manager.notify("READY=1\nSTATUS=" + std::to_string(config->plan.entries.size())
                   + " entries");
  };
  return run_beat(*config);
}

} // namespace umbel
