#include "apps/client/client_commands.hpp"

#include "apps/client/amqp_command.hpp"
#include "apps/client/graph_command.hpp"
#include "apps/client/queue_command.hpp"
#include "apps/client/result_command.hpp"
#include "apps/exit_status.hpp"
#include "apps/help.hpp"
#include "apps/remote/remote_session.hpp"

#include <charconv>
#include <memory>

namespace umbel {

namespace {

constexpr const char* result_footer =
    "Exit status: 0 the task ended well; 1 it failed, was revoked, has not ended,\n"
    "or nothing is known of it; 2 options or settings are wrong; 69 the result store\n"
    "cannot be reached; 75 the time to wait is over.\n"
    "\n"
    "Examples:\n"
    "  umbel result 6d1c8d8e-2f8f-4a8e-8b5b-1c2b9b1d5d10 --traceback\n"
    "  umbel result --result-backend redis://h/1 --wait --timeout 60 some-id";

constexpr const char* purge_footer =
    "What workers have reserved already, and what waits for its time, is not in a\n"
    "queue, and stays.\n"
    "\n"
    "Examples:\n"
    "  umbel purge\n"
    "  umbel purge -f -Q mail,video -b amqp://guest@localhost//";

constexpr const char* migrate_footer =
    "A message is acknowledged at the source when the destination has it: if this\n"
    "is killed, some may be in both places, and none is lost. Tasks that wait for\n"
    "their time are not in a queue, and stay. So do those with a unique key, or\n"
    "that are to be published once: the destination would not know them again.\n"
    "What stays is held until the end. RabbitMQ sends no more than some 65535\n"
    "before that: if others are behind them, it says so, and its exit status is 1.\n"
    "With --forever what stays is given back now and then, on RabbitMQ to the\n"
    "queue's end.\n"
    "\n"
    "Examples:\n"
    "  umbel migrate amqp://guest@localhost// redis://localhost/1\n"
    "  umbel migrate -Q mail --limit 1000 redis:// sqlite:///var/lib/umbel/x.db\n"
    "  umbel migrate --forever -T mail.send,mail.fetch redis://old redis://new";

constexpr const char* list_footer =
    "Which queue hears what: a table of queues, exchanges and routing keys. RabbitMQ\n"
    "does not tell it over AMQP: of its queues those are shown that are there and\n"
    "that the settings speak of; rabbitmqctl list_bindings tells all.\n"
    "\n"
    "Example:\n"
    "  umbel list bindings -b redis://localhost/1";

constexpr const char* graph_footer =
    "For Graphviz: the broker, the workers that consume from it, and the result\n"
    "store.\n"
    "\n"
    "Example:\n"
    "  umbel graph workers | dot -Tsvg > workers.svg";

constexpr const char* amqp_footer =
    "Without a command it reads commands from its standard input, a line each.\n"
    "Queues are declared durable; what a worker declares itself, with its arguments,\n"
    "is in the settings. A flag is true or false, and false when it is left out.\n"
    "\n"
    "Examples:\n"
    "  umbel amqp queue.delete old-mail false true\n"
    "  umbel amqp -b amqp://guest@localhost// basic.get mail";

std::string a_number(const std::string& text) {
  size_t n = 0;
  auto end = text.data() + text.size();
  auto [ptr, ec] = std::from_chars(text.data(), end, n);
  return ec == std::errc{} && ptr == end
             ? ""
             : '\'' + text + "' is not a whole number";
}

std::string a_duration(const std::string& text) {
  double x = 0;
  auto end = text.data() + text.size();
  auto [ptr, ec] = std::from_chars(text.data(), end, x);
  return ec == std::errc{} && ptr == end && x >= 0 && x < 1e9
             ? ""
             : '\'' + text + "' is not a number of seconds, 0 or more";
}

std::chrono::milliseconds in_ms(const std::string& seconds) {
  return std::chrono::milliseconds{
      static_cast<int64_t>(std::stod(seconds) * 1000)};
}

} // namespace

CLI::App* client_commands::add_command(CLI::App& root, options& given,
                                       const char* name, const char* meaning,
                                       const char* usage) {
  auto* command = root.add_subcommand(name, meaning);
  command->formatter(std::make_shared<help_formatter>(program_ + ' ' + usage));
  command->allow_extras();
  add_global_options(*command, given);
  all_.push_back(command);
  return command;
}

void client_commands::add(CLI::App& root, const std::string& program,
                          options& given) {
  program_ = program;
  add_result(root, given);
  add_queues(root, given);
  report_ = add_command(root, given, "report",
                        "Show what a bug report should say.", "report [OPTIONS]");
  add_broker(root, given);
}

void client_commands::add_result(CLI::App& root, options& given) {
  result_ = add_command(root, given, "result", "Show the result of a task.",
                        "result [OPTIONS] TASK_ID");
  result_->add_option("task_id", asked_.id, "")->group("");
  result_->add_flag("--traceback", asked_.traceback,
                    "Show the traceback of a failure")
      ->group(options_group);
  result_->add_flag("--wait", asked_.wait, "Wait for the task's end")
      ->group(options_group);
  result_
      ->add_option_function<std::string>(
          "--timeout",
          [this](const std::string& text) { asked_.timeout = in_ms(text); },
          "With --wait: give up waiting after that [default: never]")
      ->type_name("SECONDS")
      ->check(a_duration)
      ->group(options_group);
  result_->footer(result_footer);
}

void client_commands::add_queues(CLI::App& root, options& given) {
  purge_ = add_command(root, given, "purge", "Delete what waits in queues.",
                       "purge [OPTIONS]");
  migrate_ = add_command(root, given, "migrate",
                         "Move what waits from one broker to another.",
                         "migrate [OPTIONS] SOURCE DESTINATION");
  auto add_names = [](CLI::App& command, const char* names, const char* type,
                      const char* meaning, std::vector<std::string>& to) {
    command
        .add_option_function<std::vector<std::string>>(
            names,
            [&to](const std::vector<std::string>& all) {
              for (auto& text : all)
                for (auto& name : split_list(text))
                  to.push_back(name);
            },
            meaning)
        ->type_name(type)
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false) // what comes behind is another one
        ->group(options_group);
  };
  for (auto [command, to] : {std::pair{purge_, &purged_.queues},
                             std::pair{migrate_, &moved_.queues}})
    add_names(*command, "-Q,--queues", "QUEUE,...",
              "Queues [default: those of the settings]", *to);
  add_names(*purge_, "-X,--exclude-queues", "QUEUE,...",
            "Queues that stay as they are", purged_.excluded);
  add_names(*migrate_, "-T,--tasks", "TASK,...",
            "Move tasks of these names alone [default: all]", moved_.tasks);
  purge_->add_flag("-f,--force", purged_.force, "Do not ask")->group(options_group);
  purge_->footer(purge_footer);
  add_migrate_options();
}

void client_commands::add_migrate_options() {
  migrate_->add_option("source", moved_.source, "")->group("");
  migrate_->add_option("destination", moved_.destination, "")->group("");
  migrate_
      ->add_option_function<std::string>(
          "-n,--limit",
          [this](const std::string& text) { moved_.limit = std::stoull(text); },
          "Move so many at most [default: all]")
      ->type_name("COUNT")
      ->check(a_number)
      ->group(options_group);
  auto* timeout = migrate_
                      ->add_option_function<std::string>(
                          "-t,--timeout",
                          [this](const std::string& text) {
                            moved_.timeout = in_ms(text);
                          },
                          "End when nothing has come for so long [default: 1]")
                      ->type_name("SECONDS")
                      ->check(a_duration)
                      ->group(options_group);
  migrate_
      ->add_flag("-F,--forever", moved_.forever,
                 "Go on until SIGINT or SIGTERM: move what comes meanwhile")
      ->group(options_group)
      ->excludes(timeout);
  auto* copy = migrate_
                   ->add_flag("--copy", moved_.copy,
                              "Leave what is copied in the source, too, as Celery "
                              "does without -a")
                   ->group(options_group);
  const std::string acks = "Take what is moved from the source: so it is in any "
                           "case, but with --copy";
  migrate_->add_flag("-a,--ack-messages", acks)
      ->group(options_group)
      ->excludes(copy);
  migrate_->footer(migrate_footer);
}

void client_commands::add_broker(CLI::App& root, options& given) {
  list_ = add_command(root, given, "list", "Show what the broker knows.",
                      "list [OPTIONS] bindings");
  list_->footer(list_footer);
  graph_ = add_command(root, given, "graph", "Draw a picture of the cluster.",
                       "graph [OPTIONS] workers");
  graph_
      ->add_option_function<std::string>(
          "-t,--timeout",
          [this](const std::string& text) { patience_ = in_ms(text); },
          "Wait for answers [default: 1]")
      ->type_name("SECONDS")
      ->check(a_duration)
      ->group(options_group);
  graph_->footer(graph_footer);
  amqp_ = add_command(root, given, "amqp", "Look after exchanges and queues.",
                      "amqp [OPTIONS] [COMMAND [ARGUMENTS]...]");
  amqp_->footer(client::help_of_amqp() + '\n' + amqp_footer);
  for (auto* command : {list_, graph_, amqp_})
    command->add_option("words", words_, "")->group("");
}

std::optional<int> client_commands::run(const std::string& program,
                                        const options& given) {
  auto named = [&](const CLI::App* x) {
    return program + ' ' + x->get_name();
  };
  if (result_ && result_->parsed())
    return client::show_result(named(result_), given, asked_.id,
                               asked_.traceback, asked_.wait, asked_.timeout);
  if (purge_ && purge_->parsed())
    return client::purge(named(purge_), given, purged_.queues,
                         purged_.excluded, purged_.force);
  if (migrate_ && migrate_->parsed()) {
    if (moved_.source.empty() || moved_.destination.empty())
      return refuse(named(migrate_),
                            "from where to where? " + named(migrate_)
                                + " SOURCE DESTINATION",
                            exit_usage);
    return client::migrate(named(migrate_), given, moved_);
  }
  if (report_ && report_->parsed())
    return client::report(named(report_), given);
  if (list_ && list_->parsed()) {
    if (words_ != std::vector<std::string>{"bindings"})
      return refuse(named(list_), "list what? " + named(list_) + " bindings",
                    exit_usage);
    return client::list_bindings(named(list_), given);
  }
  if (graph_ && graph_->parsed()) {
    if (words_ != std::vector<std::string>{"workers"})
      return refuse(named(graph_),
                    "a picture of what? " + named(graph_) + " workers",
                    exit_usage);
    return client::graph_workers(named(graph_), given, patience_);
  }
  if (amqp_ && amqp_->parsed())
    return client::run_amqp(named(amqp_), given, words_);
  return std::nullopt;
}

} // namespace umbel
