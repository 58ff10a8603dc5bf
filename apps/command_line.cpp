#include "apps/command_line.hpp"

#include "apps/beat_command.hpp"
#include "apps/call_command.hpp"
#include "apps/client/client_commands.hpp"
#include "apps/dead_command.hpp"
#include "apps/help.hpp"
#include "apps/multi/multi_command.hpp"
#include "apps/options.hpp"
#include "apps/remote/control_command.hpp"
#include "apps/remote/events_command.hpp"
#include "apps/schedule_command.hpp"
#include "apps/schedule_options.hpp"
#include "apps/version.hpp"
#include "apps/worker_command.hpp"
#include "protocol/client/nearest.hpp"
#include "protocol/client/setting_table.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace umbel {

namespace {

/// Celery's commands that are not there yet.
constexpr std::string_view commands_of_celery[] = {
    "logtool", "shell", "upgrade",
};

constexpr const char* worker_footer =
    "Each worker option may come from the environment: --queues from\n"
    "CELERY_WORKER_QUEUES, --detach from CELERY_WORKER_DETACH.\n"
    "\n"
    "Examples:\n"
    "  umbel worker -A tasks -l info\n"
    "  umbel -A tasks worker -l info --autoscale=10,3\n"
    "  umbel worker -A ./libmine.so -Q urgent,celery -c 4 -n mine@%h\n"
    "  umbel worker -A tasks worker.prefetch_multiplier=1 task_acks_late=true\n"
    "\n"
    "'umbel settings' describes all settings.";

constexpr const char* beat_footer =
    "The entries stand in the setting beat_schedule of the file that --config names:\n"
    "  {\"beat_schedule\": {\"every-minute\": {\"task\": \"tasks.add\", "
    "\"args\": [4, 4],\n"
    "                                      \"schedule\": {\"crontab\": \"* * * * "
    "*\"}}}}\n"
    "\n"
    "Libraries that -A names bring periodic tasks along (app.add_periodic_task); none "
    "is\nloaded unless it is named.\n"
    "\n"
    "Where it is remembered what was sent, -s: in a file, for one beat; or in Redis,\n"
    "-s redis://host/0, for any number of them. One of these leads, and another one\n"
    "takes over when it has not been heard of for three seconds (?lease=3).\n"
    "\n"
    "'umbel beat list', 'add', 'remove', 'enable', 'disable', 'run-now' and 'next'\n"
    "show and change the schedule, while a beat runs or not; 'umbel beat add --help'\n"
    "describes one of them.\n"
    "\n"
    "Examples:\n"
    "  umbel beat --config celery.json -l info\n"
    "  umbel beat --config celery.json -s /var/lib/umbel/beat.db timezone=Asia/Tokyo\n"
    "  umbel beat list -s redis://";

constexpr const char* call_footer =
    "Exit status: 0 sent, or ended well; 1 the task failed or was revoked; 2\n"
    "options or settings are wrong; 69 broker or result store cannot be reached;\n"
    "75 the time to wait is over.\n"
    "\n"
    "Examples:\n"
    "  umbel call tasks.add --args '[4, 4]' --wait\n"
    "  umbel call tasks.add -k '{\"x\": 1, \"y\": 2}' -b sqlite:///tmp/x.db --wait\n"
    "  umbel call tasks.sleep -a '[10]' --countdown 60 -Q slow";

constexpr const char* dead_footer =
    "A dead letter is a message that was parked instead of run: it was malformed,\n"
    "its task is unknown, was rejected, or has ended its process too often\n"
    "(worker_max_deliveries). 'replay' puts it on its queue again as a new message;\n"
    "'discard' forgets it.\n"
    "\n"
    "Exit status: 0 done; 1 an id is not there (any more); 2 options or settings\n"
    "are wrong; 69 the broker cannot be reached.\n"
    "\n"
    "Examples:\n"
    "  umbel dead list\n"
    "  umbel dead show 3f9d02c1a7be\n"
    "  umbel dead replay --all -Q celery\n"
    "  umbel dead discard 3f9d02c1a7be -b sqlite:///tmp/x.db";

constexpr const char* status_footer =
    "Exit status: 0 somebody answered; 2 options or settings are wrong; 69 nobody\n"
    "answered, or the broker cannot be reached.\n"
    "\n"
    "Examples:\n"
    "  umbel status\n"
    "  umbel status -b amqp://guest@localhost -t 5 -d celery@one,celery@two";

constexpr const char* inspect_footer =
    "Exit status: 0 answered; 1 a worker refused; 2 options or settings are wrong;\n"
    "69 nobody answered, or the broker cannot be reached.\n"
    "\n"
    "Examples:\n"
    "  umbel inspect active\n"
    "  umbel inspect stats -j -d celery@one\n"
    "  umbel inspect query_task 6d1c8d8e-2f8f-4a8e-8b5b-1c2b9b1d5d10\n"
    "  umbel inspect tree -p 'celery@db*'";

constexpr const char* control_footer =
    "Exit status: 0 done; 1 a worker refused; 2 options or settings are wrong; 69\n"
    "nobody answered, or the broker cannot be reached.\n"
    "\n"
    "Examples:\n"
    "  umbel control rate_limit tasks.add 10/m\n"
    "  umbel control terminate SIGKILL 6d1c8d8e-2f8f-4a8e-8b5b-1c2b9b1d5d10\n"
    "  umbel control shutdown -d celery@one\n"
    "  umbel control -A shop trim_cache 1000       (a command of the library shop)\n"
    "  umbel control --custom trim_cache keep=1000";

constexpr const char* events_footer =
    "The live view shows workers and tasks; its last line says which keys there are.\n"
    "Workers tell of their tasks if they were started with -E, or after\n"
    "'umbel control enable_events'.\n"
    "\n"
    "Examples:\n"
    "  umbel events\n"
    "  umbel events --dump\n"
    "  umbel events --dump --json | grep task-failed";

/// The parser of one run, with what it fills.
struct parser {
  parser(std::string program_name, bool only_worker);

  /// The first thing that the parser did not know, explained.
  std::string complaint() const;

  std::string name_of(const CLI::App& command) const;

  /// The words of `inspect` and `control` go to workers.
  bool controls() const {
    return inspect != nullptr && (inspect->parsed() || control->parsed());
  }

  std::string program;
  std::vector<std::string> after_dashes; ///< "--": nothing but settings follow
  options given;
  CLI::App root;
  CLI::App* worker = nullptr;   ///< may be the root itself
  CLI::App* beat = nullptr;     ///< null if only_worker
  CLI::App* call = nullptr;     ///< null if only_worker
  CLI::App* settings = nullptr; ///< null if only_worker
  /// The commands that talk to workers; null if only_worker.
  CLI::App* status = nullptr;
  CLI::App* inspect = nullptr;
  CLI::App* control = nullptr;
  CLI::App* events = nullptr;
  remote_options controlled;
  events_options listened;
  CLI::App* dead = nullptr;     ///< null if only_worker
  call_options called;
  dead_options buried;
  client_commands clients;
};

parser::parser(std::string program_name, bool only_worker)
    : program(std::move(program_name)),
      root("A distributed task queue in C++ that speaks Celery's protocols.",
           program) {
  auto format = [](CLI::App& command, const std::string& usage) {
    command.formatter(std::make_shared<help_formatter>(usage));
    command.allow_extras();
  };
  root.set_version_flag("--version", "umbel " + std::string{version},
                        "Show the version and exit")
      ->group("Global options");
  add_global_options(root, given);
  if (only_worker) {
    worker = &root;
    root.description("Run tasks in supervised child processes: short for "
                     "'umbel worker'.");
    format(root, program + " [OPTIONS] [SETTING=VALUE]...");
    add_worker_options(root, given);
    root.footer(worker_footer);
    return;
  }
  format(root, program + " [OPTIONS] COMMAND [ARGS]...");
  root.require_subcommand(0, 1);
  root.footer("'" + program
              + " COMMAND --help' describes a command. Global "
                "options may stand\nbefore or after it.");
  worker =
      root.add_subcommand("worker", "Run tasks in supervised child processes.");
  format(*worker, program + " worker [OPTIONS] [SETTING=VALUE]...");
  add_global_options(*worker, given);
  add_worker_options(*worker, given);
  worker->footer(worker_footer);
  beat = root.add_subcommand("beat", "Send periodic tasks.");
  format(*beat, program + " beat [OPTIONS] [SETTING=VALUE]...");
  add_global_options(*beat, given);
  add_beat_options(*beat, given);
  beat->footer(beat_footer);
  call = root.add_subcommand("call", "Send a task, and wait for its result.");
  format(*call, program + " call [OPTIONS] TASK");
  add_global_options(*call, given);
  add_call_options(*call, called);
  call->footer(call_footer);
  dead = root.add_subcommand("dead", "Show dead letters, send them again or "
                                     "forget them.");
  format(*dead, program + " dead [OPTIONS] list|show|replay|discard [ID]...");
  add_global_options(*dead, given);
  add_dead_options(*dead, buried);
  dead->footer(dead_footer);
  status = root.add_subcommand("status", "Show which workers are there.");
  format(*status, program + " status [OPTIONS]");
  add_global_options(*status, given);
  add_remote_options(*status, controlled, false);
  status->footer(status_footer);
  inspect = root.add_subcommand("inspect", "Ask workers what they do.");
  format(*inspect, program + " inspect [OPTIONS] COMMAND [ARGUMENTS]...");
  add_global_options(*inspect, given);
  add_remote_options(*inspect, controlled, true);
  inspect->footer(help_of_commands(command_kind::inspect) + '\n'
                  + inspect_footer);
  control = root.add_subcommand("control", "Tell workers what to do.");
  format(*control, program + " control [OPTIONS] COMMAND [ARGUMENTS]...");
  add_global_options(*control, given);
  add_remote_options(*control, controlled, true);
  add_control_options(*control, controlled);
  control->footer(help_of_commands(command_kind::control) + '\n'
                  + control_footer);
  events = root.add_subcommand("events", "Show what happens in the cluster.");
  format(*events, program + " events [OPTIONS]");
  add_global_options(*events, given);
  add_events_options(*events, listened);
  events->footer(events_footer);
  clients.add(root, program, given);
  // Only for the help: it has a parser of its own.
  root.add_subcommand("multi", "Start, stop and show several workers.");
  settings =
      root.add_subcommand("settings", "Describe all settings, as Markdown.");
  settings->set_help_flag("-h,--help", "Show this text and exit")
      ->group("Options");
  format(*settings, program + " settings");
}

std::string parser::name_of(const CLI::App& command) const {
  return &command == &root ? program : program + ' ' + command.get_name();
}

// All names of a command's options, with their dashes.
std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> result;
  for (auto option : command.get_options()) {
    for (auto& name : option->get_lnames())
      result.push_back("--" + name);
    for (auto& name : option->get_snames())
      result.push_back('-' + name);
  }
  return result;
}

std::string explain_option(const parser& x, const CLI::App& command,
                           const std::string& arg) {
  auto name = arg.substr(0, arg.find('='));
  if (!name.starts_with("--"))
    name = name.substr(0, 2);
  auto of_worker = option_names(*x.worker);
  if (&command != x.worker
      && std::ranges::find(of_worker, name) != of_worker.end())
    return "option " + name + " belongs after the command: " + x.program
           + " worker " + name;
  auto result = "there is no option " + name;
  auto names = option_names(command);
  std::vector<std::string_view> candidates;
  for (auto& candidate : names)
    if (candidate.starts_with("--"))
      candidates.push_back(candidate);
  if (auto meant = nearest(name, candidates))
    return result + "; did you mean " + std::string{*meant} + '?';
  return result + "; '" + x.name_of(command) + " --help' lists all of them";
}

std::string explain_command(const parser& x, const std::string& arg) {
  if (std::ranges::find(commands_of_celery, arg)
      != std::end(commands_of_celery))
    return "the command '" + arg + "' is not supported yet";
  auto result = "there is no command '" + arg + '\'';
  std::vector<std::string> names;
  for (auto command : x.root.get_subcommands({}))
    names.push_back(command->get_name());
  std::vector<std::string_view> candidates{names.begin(), names.end()};
  if (auto meant = nearest(arg, candidates))
    return result + "; did you mean '" + std::string{*meant} + "'?";
  return result + "; '" + x.program + " --help' lists all of them";
}

std::string explain_schedule_verb(const std::string& command,
                                  const std::string& arg) {
  auto result = command + ": there is no command '" + arg + '\'';
  std::vector<std::string_view> candidates;
  for (auto& verb : schedule_verbs())
    candidates.push_back(verb.word);
  if (auto meant = nearest(arg, candidates))
    return result + "; did you mean '" + std::string{*meant} + "'?";
  return result + "; '" + command + " --help' names all of them";
}

bool is_assignment(const std::string& arg) {
  return arg.find('=') != arg.npos && arg[0] != '=';
}

std::string unexpected(const std::string& command, const std::string& arg,
                       bool takes_settings) {
  return command + ": unexpected argument '" + arg + '\''
         + (takes_settings ? "; settings are written name=value" : "");
}

std::string parser::complaint() const {
  auto is_option = [](const std::string& arg) {
    return arg.starts_with('-') && arg.size() > 1;
  };
  if (worker != &root) {
    for (auto& arg : root.remaining())
      return program + ": "
             + (is_option(arg) ? explain_option(*this, root, arg)
                               : explain_command(*this, arg));
  }
  std::vector<CLI::App*> commands{worker, beat, call, dead, settings,
                                  status, inspect, control, events};
  commands.insert(commands.end(), clients.all().begin(), clients.all().end());
  for (auto command : commands) {
    if (command == nullptr)
      continue;
    for (auto& arg : command->remaining()) {
      auto name = name_of(*command) + ": ";
      if (is_option(arg))
        return name + explain_option(*this, *command, arg);
      if (command == inspect || command == control)
        continue; // commands of workers and their arguments
      if (command == beat && !is_assignment(arg))
        return explain_schedule_verb(name_of(*command), arg);
      auto takes_settings = command == worker || command == beat;
      if (!takes_settings || !is_assignment(arg))
        return unexpected(name_of(*command), arg, takes_settings);
    }
  }
  if (controls())
    return {};
  auto& command = beat != nullptr && beat->parsed() ? *beat : *worker;
  for (auto& arg : after_dashes)
    if (!command.parsed() || !is_assignment(arg))
      return unexpected(name_of(command), arg, command.parsed());
  return {};
}

// CLI11 says "--loglevel: text" when a check fails; its other messages are put
// into our own words. A value may have come from the option's variable instead.
std::string explain(const CLI::ParseError& x, const CLI::App& command,
                    const std::string& command_name) {
  std::string text = x.what();
  auto name = text.substr(0, text.find(':'));
  auto prefix = command_name + ": option ";
  // "Could not convert: --beat = maybe": a flag, so it came from its variable.
  if (dynamic_cast<const CLI::ConversionError*>(&x) != nullptr)
    if (auto dashes = text.find("--"); dashes != text.npos) {
      auto equals = text.find(" = ", dashes);
      auto flag = text.substr(dashes, equals - dashes);
      auto option = command.get_option_no_throw(flag);
      if (equals != text.npos && option != nullptr)
        return command_name + ": environment variable " + option->get_envname()
               + ": '" + text.substr(equals + 3) + "' is not true or false";
    }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&x) != nullptr) {
    if (text.find("flag override") != text.npos)
      return prefix + "--" + text.substr(0, text.find(' '))
             + ": takes no value";
    return prefix + name + ": a value is missing";
  }
  if (auto option = command.get_option_no_throw(name);
      option != nullptr && !option->get_envname().empty()) {
    auto value = std::getenv(option->get_envname().c_str());
    if (value != nullptr && text.starts_with(name + ": '" + value + "' is not"))
      return command_name + ": environment variable " + option->get_envname()
             + text.substr(name.size());
  }
  return prefix + text;
}

int complain(const std::string& text, int status) {
  std::fprintf(stderr, "%s\n", text.c_str());
  return status;
}

} // namespace

int run_command_line(const std::string& program, std::vector<std::string> argv,
                     bool only_worker) {
  if (std::vector<std::string> words{argv.begin() + 1, argv.end()};
      !only_worker && is_multi_command(words))
    return run_multi_command(argv.front(), std::move(words));
  else if (!only_worker && is_schedule_command(words))
    return run_schedule_command(program, std::move(words));
  parser x{program, only_worker};
  auto dashes = std::find(argv.begin() + 1, argv.end(), "--");
  if (dashes != argv.end())
    x.after_dashes.assign(dashes + 1, argv.end());
  std::vector<std::string> args{argv.begin() + 1, dashes};
  std::ranges::reverse(args); // CLI11 takes them from the end
  try {
    x.root.parse(std::move(args));
  } catch (const CLI::CallForVersion& e) {
    std::puts(e.what());
    return exit_ok;
  } catch (const CLI::CallForHelp&) {
    std::fputs(x.root.help().c_str(), stdout);
    return exit_ok;
  } catch (const CLI::ParseError& e) {
    auto chosen = x.root.get_subcommands();
    auto& command = chosen.empty() ? x.root : *chosen.front();
    return complain(explain(e, command, x.name_of(command)), exit_usage);
  }
  if (auto text = x.complaint(); !text.empty())
    return complain(text, exit_usage);
  if (x.settings != nullptr && x.settings->parsed()) {
    std::fputs(settings_markdown().c_str(), stdout);
    return exit_ok;
  }
  if (x.call != nullptr && x.call->parsed())
    return run_call_command(x.name_of(*x.call), x.given, x.called);
  if (x.dead != nullptr && x.dead->parsed())
    return run_dead_command(x.name_of(*x.dead), x.given, x.buried);
  if (x.status != nullptr && x.status->parsed())
    return run_status_command(x.name_of(*x.status), x.given, x.controlled);
  if (x.events != nullptr && x.events->parsed())
    return run_events_command(x.name_of(*x.events), x.given, x.listened);
  if (x.controls()) {
    auto asks = x.inspect->parsed();
    auto& command = asks ? *x.inspect : *x.control;
    auto words = command.remaining();
    words.insert(words.end(), x.after_dashes.begin(), x.after_dashes.end());
    return run_control_command(x.name_of(command), x.given, x.controlled,
                               asks ? command_kind::inspect
                                    : command_kind::control,
                               words);
  }
  if (auto status = x.clients.run(x.program, x.given))
    return *status;
  auto sends = x.beat != nullptr && x.beat->parsed();
  if (!only_worker && !x.worker->parsed() && !sends) {
    std::fputs(x.root.help().c_str(), stdout);
    return exit_ok;
  }
  // Options outrank name=value arguments, as in Celery.
  std::vector<std::pair<std::string, std::string>> assignments;
  auto settings = (sends ? x.beat : x.worker)->remaining();
  settings.insert(settings.end(), x.after_dashes.begin(), x.after_dashes.end());
  for (auto& arg : settings) {
    auto equals = arg.find('=');
    assignments.emplace_back(arg.substr(0, equals), arg.substr(equals + 1));
  }
  assignments.insert(assignments.end(), x.given.assignments.begin(),
                     x.given.assignments.end());
  x.given.assignments = std::move(assignments);
  if (sends)
    return run_beat_command(x.name_of(*x.beat), x.given);
  return run_worker_command(x.name_of(*x.worker), argv, x.given);
}

} // namespace umbel
