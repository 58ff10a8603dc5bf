#include "apps/beat_command.hpp"

#include "apps/daemon/detach.hpp"
#include "apps/daemon/init_process.hpp"
#include "apps/daemon/pidfile.hpp"
#include "apps/daemon/service_manager.hpp"
#include "apps/exit_status.hpp"
#include "apps/logging.hpp"
#include "protocol/client/node_format.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

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
     "sqla+sqlite", "sqlalchemy+sqlite", "memory", "disabled", "rpc"};

/// Celery's default, in each of the forms that it takes.
constexpr std::string_view known_schedulers[]
  = {"celery.beat:PersistentScheduler", "celery.beat.PersistentScheduler",
     "PersistentScheduler"};

bool expires_by_itself(const std::string& url) {
  auto scheme = url.substr(0, url.find(':'));
  return std::ranges::find(expiring_stores, scheme) != std::end(expiring_stores);
}

/// One line on standard error.
int refuse(const std::string& name, const std::string& what, int status) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), what.c_str());
  return status;
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
  auto entries
    = schedule::parse_entries(x.beat_schedule, *zone, x.task_default_queue);
  if (!entries)
    return entries.error();
  beat_config result;
  result.entries = std::move(*entries);
  if (x.result_expires.value_or(0s) > 0s && !expires_by_itself(x.result_backend)
      && !x.beat_schedule.contains("celery.backend_cleanup"))
    result.entries.push_back(
      schedule::backend_cleanup(*zone, x.task_default_queue));
  for (auto& entry : result.entries)
    entry.call.form = {x.task_serializer,
                       x.task_compression.value_or(compression::none)};
  result.broker_url = x.broker_url;
  result.broker = to_broker_options(x);
  result.file = x.beat_schedule_filename;
  if (x.beat_max_loop_interval > 0ms)
    result.max_interval = x.beat_max_loop_interval;
  result.deadline = x.beat_cron_starting_deadline;
  return result;
}

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
  start_report report;
  if (given.detach) {
    auto begun = detach(name, launch_patience);
    if (!begun)
      return refuse(name, begun.error().what, exit_failure);
    if (begun->exit_status)
      return *begun->exit_status;
    report = std::move(begun->report);
  }
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
    manager.notify("READY=1\nSTATUS=" + std::to_string(config->entries.size())
                   + " entries");
  };
  return run_beat(*config);
}

} // namespace umbel
