#include "apps/options.hpp"

#include "apps/daemon/identity.hpp"
#include "apps/logging.hpp"
#include "protocol/client/setting_table.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <unistd.h>

namespace umbel {

namespace {

constexpr const char* global_group = "Global options";
constexpr const char* worker_group = "Worker options";
constexpr const char* pool_group = "Pool options";
constexpr const char* queue_group = "Queue options";
constexpr const char* process_group = "Process options";
constexpr const char* beat_group = "Options of the periodic scheduler";
constexpr const char* celery_group = "Accepted for Celery's start scripts";

// -- checks: each returns what is wrong, or nothing ---------------------------

CLI::Validator check(std::function<std::string(std::string&)> f) {
  return CLI::Validator{std::move(f), ""};
}

std::string is_not(const std::string& text) {
  return '\'' + text + "' is not ";
}

CLI::Validator one_of(std::string choices) {
  return check([=](std::string& text) {
    auto items = split_list(choices);
    return std::ranges::find(items, text) != items.end()
               ? std::string{}
               : is_not(text) + "one of " + choices;
  });
}

CLI::Validator whole_number(int64_t min, int64_t max = INT32_MAX) {
  return check([=](std::string& text) -> std::string {
    int64_t x = 0;
    auto end = text.data() + text.size();
    auto [ptr, ec] = std::from_chars(text.data(), end, x);
    if (ec == std::errc{} && ptr == end && x >= min && x <= max)
      return {};
    auto result = is_not(text) + "a whole number from " + std::to_string(min);
    return max == INT32_MAX ? result + " up"
                            : result + " to " + std::to_string(max);
  });
}

CLI::Validator some_seconds() {
  return check([](std::string& text) -> std::string {
    double x = 0;
    auto end = text.data() + text.size();
    auto [ptr, ec] = std::from_chars(text.data(), end, x);
    if (ec == std::errc{} && ptr == end && x >= 0)
      return {};
    return is_not(text) + "a number of seconds, 0 or more";
  });
}

CLI::Validator a_level() {
  return check([](std::string& text) {
    return log_level(text) ? std::string{}
                           : is_not(text) + "one of " + log_levels;
  });
}

CLI::Validator bounds_of_pool() {
  return check([](std::string& text) {
    return parse_autoscale(text)
               ? std::string{}
               : is_not(text) + "MAX[,MIN] with MAX at least 1, such as 10,3";
  });
}

CLI::Validator a_list() {
  return check([](std::string& text) {
    return split_list(text).empty() ? is_not(text)
                                          + "a list of names such as "
                                            "one,two"
                                    : std::string{};
  });
}

// What a parser of the value makes of it decides.
template <class Parse>
CLI::Validator parsed_by(Parse parse) {
  return check([=](std::string& text) {
    auto result = parse(text);
    return result ? std::string{} : result.error().what;
  });
}

CLI::Validator an_executable() {
  return check([](std::string& text) {
    return access(text.c_str(), X_OK) == 0
               ? std::string{}
               : is_not(text) + "a program that can be executed";
  });
}

CLI::Validator not_empty() {
  return check([](std::string& text) {
    return text.empty() ? is_not(text) + "a path" : std::string{};
  });
}

// -- kinds of options ---------------------------------------------------------

// An option whose last use counts, as with Celery.
CLI::Option* add_text(CLI::App& command, const char* group, const char* names,
                      const char* type, std::function<void(std::string)> use,
                      std::string meaning) {
  return command
      .add_option_function<std::string>(names, std::move(use), meaning)
      ->type_name(type)
      ->group(group)
      ->take_last();
}

CLI::Option* add_flag(CLI::App& command, const char* group, const char* names,
                      bool& x, std::string meaning) {
  return command.add_flag(names, x, std::move(meaning))
      ->group(group)
      ->disable_flag_override();
}

// An option that is a setting: meaning and default come from the table.
CLI::Option* add_setting(CLI::App& command, options& x, const char* group,
                         const char* names, const char* type,
                         const char* setting, std::string fallback = {}) {
  auto row = find_setting(setting);
  if (fallback.empty())
    fallback = default_text(*row);
  if (fallback == "[]")
    fallback = "none";
  auto meaning = std::string{row->meaning} + " [setting " + setting;
  meaning += fallback.empty() ? "]" : ", default: " + fallback + ']';
  return add_text(
      command, group, names, type,
      [&x, setting](const std::string& text) {
        x.assignments.emplace_back(setting, text);
      },
      meaning);
}

// As in Celery, each option of the worker may come from the environment:
// --queues from CELERY_WORKER_QUEUES. Those that are settings have their name
// there already.
void name_variables(CLI::App& command) {
  for (auto option : command.get_options()) {
    if (!option->get_envname().empty() || option->get_lnames().empty()
        || option->get_group() == global_group)
      continue;
    std::string name = "worker_" + option->get_lnames().front();
    std::ranges::replace(name, '-', '_');
    if (find_setting(name) != nullptr)
      continue;
    for (auto& c : name)
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    option->envname("CELERY_" + name);
  }
}

template <class T>
void append(std::vector<T>& xs, std::vector<T> more) {
  xs.insert(xs.end(), more.begin(), more.end());
}

} // namespace

void add_global_options(CLI::App& command, options& x) {
  command
      .add_option_function<std::vector<std::string>>(
          "-A,--app",
          [&x](const std::vector<std::string>& given) {
            for (auto& text : given)
              append(x.apps, split_list(text));
          },
          "Task library: a name (libNAME.so beside the program, in the current "
          "directory, in UMBEL_PATH or in the library directory) or a path. "
          "May be "
          "repeated or a list [env CELERY_APP, default: tasks]")
      ->type_name("NAME|PATH,...")
      ->group(global_group)
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false) // what follows is a command's word
      ->check(a_list());
  add_setting(command, x, global_group, "-b,--broker", "URL", "broker_url");
  add_setting(command, x, global_group, "--result-backend", "URL",
              "result_backend", "none");
  add_text(
      command, global_group, "--config", "FILE",
      [&x](const std::string& text) { x.config = text; },
      "JSON file of settings under Celery's names; the environment "
      "(CELERY_<NAME>) and the command line outrank it [env CELERY_CONFIG]");
  add_text(
      command, global_group, "--workdir", "DIR",
      [&x](const std::string& text) { x.workdir = text; },
      "Change to this directory first [env CELERY_WORKDIR]")
      ->envname("CELERY_WORKDIR");
  add_flag(command, global_group, "-C,--no-color", x.no_color,
           "No colours [env NO_COLOR or CELERY_NO_COLOR, default: colours on a "
           "terminal]");
  add_flag(command, global_group, "-q,--quiet", x.quiet,
           "No banner [env CELERY_QUIET]")
      ->envname("CELERY_QUIET");
  add_text(
      command, global_group, "--loader", "CLASS",
      [&x](const std::string& text) { x.loader = text; },
      "Celery's; no meaning here [env CELERY_LOADER]")
      ->envname("CELERY_LOADER");
  add_flag(command, global_group, "--skip-checks", x.skip_checks,
           "Celery's; no meaning here [env CELERY_SKIP_CHECKS]")
      ->envname("CELERY_SKIP_CHECKS");
  command.set_help_flag("-h,--help", "Show this text and exit")
      ->group(global_group);
}

void add_worker_options(CLI::App& command, options& x) {
  add_text(
      command, worker_group, "-n,--hostname", "NAME",
      [&x](const std::string& text) { x.hostname = text; },
      "Node name. %h: host name, %n: host name without domain, %d: domain [env "
      "CELERY_WORKER_HOSTNAME, default: celery@%h]")
      ->envname("CELERY_WORKER_HOSTNAME");
  add_text(
      command, worker_group, "-l,--loglevel", "LEVEL",
      [&x](const std::string& text) { x.loglevel = text; },
      std::string{log_levels}
          + ", in any case [env CELERY_WORKER_LOGLEVEL, default: WARNING]")
      ->envname("CELERY_WORKER_LOGLEVEL")
      ->check(a_level());
  add_setting(command, x, worker_group, "--prefetch-multiplier", "N",
              "worker_prefetch_multiplier", "4")
      ->check(whole_number(0));
  auto prefetch = find_setting("worker_disable_prefetch");
  command
      .add_flag_callback(
          "--disable-prefetch",
          [&x] { x.assignments.emplace_back("worker_disable_prefetch", "true"); },
          std::string{prefetch->meaning} + " [setting worker_disable_prefetch]")
      ->group(worker_group)
      ->disable_flag_override();

  add_setting(command, x, pool_group, "-c,--concurrency", "N",
              "worker_concurrency", "number of CPUs")
      ->check(whole_number(1, 65536));
  add_text(
      command, pool_group, "--autoscale", "MAX[,MIN]",
      [&x](const std::string& text) { x.autoscale = parse_autoscale(text); },
      "Let the pool grow and shrink between these sizes, in either order, "
      "instead of --concurrency: at once with demand, and after "
      "worker_autoscale_keepalive seconds without [default: off; MIN: 0]")
      ->check(bounds_of_pool());
  add_setting(command, x, pool_group, "--max-tasks-per-child", "N",
              "worker_max_tasks_per_child")
      ->check(whole_number(1));
  add_setting(command, x, pool_group, "--max-memory-per-child", "KIB",
              "worker_max_memory_per_child")
      ->check(whole_number(0));
  add_setting(command, x, pool_group, "--hard-max-memory-per-child", "KIB",
              "worker_hard_max_memory_per_child")
      ->check(whole_number(0));
  add_setting(command, x, pool_group, "-P,--pool", "KIND", "worker_pool")
      ->check(one_of("prefork, processes, threads, eventlet, gevent, solo"));

  add_setting(command, x, pool_group, "--time-limit", "SECONDS",
              "task_time_limit", "none")
      ->check(some_seconds());
  add_setting(command, x, pool_group, "--soft-time-limit", "SECONDS",
              "task_soft_time_limit", "none")
      ->check(some_seconds());

  add_text(
      command, queue_group, "-Q,--queues", "NAME,...",
      [&x](const std::string& text) { x.queues = split_list(text); },
      "Queues to consume [env CELERY_WORKER_QUEUES, default: the setting "
      "task_queues, or task_default_queue]")
      ->envname("CELERY_WORKER_QUEUES")
      ->check(a_list());
  add_text(
      command, queue_group, "-X,--exclude-queues", "NAME,...",
      [&x](const std::string& text) { x.exclude_queues = split_list(text); },
      "Of those, queues not to consume [default: none]")
      ->check(a_list());
  add_setting(command, x, queue_group, "-I,--include", "NAME,...", "include")
      ->check(a_list());
  add_flag(command, queue_group, "--purge,--discard", x.purge,
           "Delete what waits in the queues before the start. Says how many "
           "messages of which queue, and asks");
  add_flag(command, queue_group, "--force", x.force,
           "With --purge: do not ask; needed where there is no terminal");

  add_flag(command, process_group, "-D,--detach", x.detach,
           "Run in the background. Returns when the worker is ready or has "
           "failed, with its exit status");
  add_setting(command, x, process_group, "-f,--logfile", "PATH",
              "worker_logfile", "standard error")
      ->check(not_empty());
  add_setting(command, x, process_group, "-S,--statedb", "PATH",
              "worker_state_db", "none")
      ->check(not_empty());
  add_setting(command, x, process_group, "--pidfile", "PATH", "worker_pidfile",
              "none")
      ->check(not_empty());
  add_setting(command, x, process_group, "--uid", "USER", "worker_uid",
              "no change")
      ->check(parsed_by(parse_user));
  add_setting(command, x, process_group, "--gid", "GROUP", "worker_gid",
              "the user's")
      ->check(parsed_by(parse_group));
  add_setting(command, x, process_group, "--umask", "OCTAL", "worker_umask",
              "no change")
      ->check(parsed_by(parse_umask));
  add_setting(command, x, process_group, "--executable", "PATH",
              "worker_executable", "this program")
      ->check(an_executable());

  add_flag(command, beat_group, "-B,--beat", x.beat,
           "Send periodic tasks from this worker; for one worker only, unless -s is "
           "redis://...");
  add_setting(command, x, beat_group, "-s,--schedule-filename,--schedule", "PATH|URL",
              "beat_schedule_filename")
      ->check(not_empty());
  add_setting(command, x, beat_group, "--scheduler", "CLASS", "beat_scheduler")
      ->check(not_empty());

  auto events = find_setting("worker_send_task_events");
  command
      .add_flag_callback(
          "-E,--task-events,--events",
          [&x] { x.assignments.emplace_back("worker_send_task_events", "true"); },
          std::string{events->meaning} + " [setting worker_send_task_events]")
      ->group(celery_group)
      ->disable_flag_override();
  add_text(
      command, celery_group, "-O,--optimization", "PROFILE", [](std::string) {},
      "default or fair. Scheduling is fair with both: no task waits behind a "
      "long one while a child is free, and short ones run in batches")
      ->check(one_of("default, fair"));
  add_flag(command, celery_group, "--without-gossip", x.without_gossip,
           "Do not listen to other workers: none are missed before their lease "
           "ends, and there are no elections (gossip is over Redis only yet)");
  add_flag(command, celery_group, "--without-mingle", x.without_mingle,
           "Do not ask other workers at the start for their logical time and "
           "for what is revoked (Redis only yet)");
  add_flag(command, celery_group, "--without-heartbeat", x.without_heartbeat,
           "No heartbeat events: monitors take the worker for dead");
  add_text(
      command, celery_group, "--heartbeat-interval", "SECONDS",
      [&x](const std::string& text) { x.heartbeat_interval = std::stoul(text); },
      "Between two heartbeat events (Redis only yet). A worker that misses "
      "two has lost its tasks to others, on every broker with leases [default: 2]")
      ->check(whole_number(1));
  name_variables(command);
}

void add_beat_options(CLI::App& command, options& x) {
  add_text(
      command, beat_group, "-l,--loglevel", "LEVEL",
      [&x](const std::string& text) { x.loglevel = text; },
      std::string{"One of "} + log_levels + " [default: WARNING]")
      ->check(a_level());
  add_setting(command, x, beat_group, "-s,--schedule", "PATH|URL",
              "beat_schedule_filename")
      ->check(not_empty());
  add_setting(command, x, beat_group, "-S,--scheduler", "CLASS",
              "beat_scheduler")
      ->check(not_empty());
  add_setting(command, x, beat_group, "--max-interval", "SECONDS",
              "beat_max_loop_interval", "300")
      ->check(some_seconds());
  add_flag(command, process_group, "-D,--detach", x.detach,
           "Run in the background. Returns when the beat is connected or has "
           "failed, with its exit status");
  add_setting(command, x, process_group, "-f,--logfile", "PATH", "beat_logfile",
              "standard error")
      ->check(not_empty());
  add_setting(command, x, process_group, "--pidfile", "PATH", "beat_pidfile",
              "none")
      ->check(not_empty());
  add_setting(command, x, process_group, "--uid", "USER", "beat_uid",
              "no change")
      ->check(parsed_by(parse_user));
  add_setting(command, x, process_group, "--gid", "GROUP", "beat_gid",
              "the user's")
      ->check(parsed_by(parse_group));
  add_setting(command, x, process_group, "--umask", "OCTAL", "beat_umask",
              "no change")
      ->check(parsed_by(parse_umask));
  add_text(
      command, celery_group, "--executable", "PATH", [](std::string) {},
      "Celery's; no meaning here, nor there: a beat executes nothing");
}

std::optional<autoscale_bounds> parse_autoscale(const std::string& text) {
  size_t numbers[2] = {0, 0};
  auto at = text.data();
  auto end = at + text.size();
  for (auto& number : numbers) {
    auto [ptr, ec] = std::from_chars(at, end, number);
    if (ec != std::errc{} || number > 65536)
      return std::nullopt;
    if (at = ptr; at == end)
      break;
    if (*at++ != ',' || &number == &numbers[1])
      return std::nullopt;
  }
  autoscale_bounds result{std::min(numbers[0], numbers[1]),
                          std::max(numbers[0], numbers[1])};
  if (result.max == 0)
    return std::nullopt;
  return result;
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> result;
  auto items = value_from_text(setting_kind::list, text);
  if (!items.is_array())
    return {text};
  for (auto& item : items.get_array())
    if (item.is_string())
      result.emplace_back(std::string_view{item.get_string()});
  return result;
}

} // namespace umbel
