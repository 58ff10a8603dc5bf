#include "apps/multi/multi_command.hpp"

#include "apps/daemon/image.hpp"
#include "apps/exit_status.hpp"
#include "apps/logging.hpp"
#include "apps/multi/cluster.hpp"
#include "apps/version.hpp"
#include "protocol/client/node_format.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>

#include <unistd.h>

namespace umbel {

namespace {

using namespace multi;

constexpr const char* usage =
    "usage: umbel multi start <node1 node2 nodeN|range> [worker options]\n"
    "       umbel multi stop <n1 n2 nN|range> [-SIG (default: -TERM)]\n"
    "       umbel multi stopwait <n1 n2 nN|range> [-SIG]\n"
    "       umbel multi restart <n1 n2 nN|range> [-SIG] [worker options]\n"
    "       umbel multi kill <n1 n2 nN|range>\n"
    "\n"
    "       umbel multi show <n1 n2 nN|range> [worker options]\n"
    "       umbel multi get hostname <n1 n2 nN|range> [-qv] [worker options]\n"
    "       umbel multi names <n1 n2 nN|range>\n"
    "       umbel multi expand template <n1 n2 nN|range>\n"
    "       umbel multi help\n"
    "\n"
    "additional options (must appear after command name):\n"
    "\n"
    "    * --nosplash:   Don't display program info.\n"
    "    * --quiet:      Don't show as much output.\n"
    "    * --verbose:    Show more output.\n"
    "    * --no-color:   Don't display colors.\n";

constexpr const char* help =
    "Starts, stops and shows several workers on this machine.\n"
    "\n"
    "  umbel multi start w1 w2 -A proj -c 3     two workers in the background\n"
    "  umbel multi start 3 -A proj              celery1, celery2, celery3\n"
    "  umbel multi start 3 --range-prefix=web   web1, web2, web3\n"
    "  umbel multi start w1@a.org w2@%h         with a host; else this one, or\n"
    "                                           that of --hostname\n"
    "\n"
    "Everything else is an option of the workers; 'show' shows what would be\n"
    "executed. An option may be meant for some of them:\n"
    "\n"
    "  -c:w1 10         for w1                  -c:w1,w2 10     for both\n"
    "  -c:2 10          for the second\n"
    "  -c:1-3 10        for celery1 to celery3, if the nodes are a number\n"
    "  -- worker.x=1    settings of all of them\n"
    "\n"
    "A short option takes the next word as its value, unless that begins with\n"
    "a dash: put flags such as -E at the end.\n"
    "\n"
    "Each worker has a pidfile, by which the other commands find it, and a log:\n"
    "%n.pid and %n%I.log in the current directory, unless --pidfile and --logfile\n"
    "say otherwise. Give the same --pidfile to 'stop' as to 'start'.\n"
    "\n"
    "  stop       sends SIGTERM, or the signal that is given: -KILL, -QUIT\n"
    "  stopwait   the same, and waits for the workers to end\n"
    "  restart    the same, and starts each again when it has ended\n"
    "  kill       sends SIGKILL\n"
    "\n"
    "'start' and 'restart' wait for each worker to be ready, show why one could\n"
    "not start, and end with 1 if any could not.\n"
    "\n";

/// Options before the command that take a value.
constexpr std::string_view takers[] = {
    "-A",     "--app",    "-b",       "--broker", "--result-backend",
    "--loader", "--config", "--workdir",
};

size_t position_of_command(const std::vector<std::string>& args) {
  for (size_t i = 0; i < args.size(); ++i) {
    if (!args[i].starts_with('-'))
      return i;
    if (std::ranges::find(takers, args[i]) != std::end(takers))
      ++i;
  }
  return args.size();
}

bool take_flag(std::vector<std::string>& args, const char* name) {
  auto i = std::ranges::find(args, name);
  if (i == args.end())
    return false;
  args.erase(i);
  return true;
}

/// The options that are meant for this command and not for the workers.
manners take_manners(std::vector<std::string>& args) {
  manners result;
  result.splash = !take_flag(args, "--nosplash");
  result.quiet = take_flag(args, "--quiet");
  result.quiet = take_flag(args, "-q") || result.quiet;
  result.verbose = take_flag(args, "--verbose");
  result.color = !take_flag(args, "--no-color") && shows_colors(STDOUT_FILENO);
  return result;
}

void splash(const manners& x) {
  if (!x.splash || x.quiet)
    return;
  auto text = "umbel multi v" + std::string{version};
  if (x.color)
    text = "\033[1;36m" + text + "\033[0m";
  std::puts(text.c_str());
}

int explain_usage(const manners& x, const std::string& complaint) {
  if (!complaint.empty())
    std::fprintf(stderr, "umbel multi: %s\n", complaint.c_str());
  splash(x);
  std::fputs(usage, stdout);
  return exit_failure;
}

/// The commands that only write.
int show(const std::string& command, const std::string& word,
         const std::vector<node>& nodes) {
  for (auto& x : nodes) {
    if (command == "names")
      std::puts(x.name.c_str());
    else if (command == "expand")
      std::puts(x.expand(word).c_str());
    else if (command == "show")
      std::puts(x.str().c_str());
    else if (x.name == word) {
      std::puts(x.args_str().c_str());
      return exit_ok;
    }
  }
  return command == "get" ? exit_failure : exit_ok;
}

/// The commands that do something.
int act(const std::string& command, int signal, cluster nodes) {
  if (command == "start")
    return nodes.start() ? exit_ok : exit_failure;
  if (command == "restart")
    return nodes.restart(signal) ? exit_ok : exit_failure;
  if (command == "stop")
    nodes.stop(signal);
  else if (command == "kill")
    nodes.kill();
  else
    nodes.stop_and_wait(signal);
  return exit_ok;
}

} // namespace

bool is_multi_command(const std::vector<std::string>& args) {
  auto i = position_of_command(args);
  return i < args.size() && args[i] == "multi";
}

int run_multi_command(const std::string& argv0, std::vector<std::string> args) {
  auto middle = args.begin()
                + static_cast<ptrdiff_t>(position_of_command(args));
  std::rotate(args.begin(), middle, args.end());
  args.erase(args.begin());
  if (take_flag(args, "--help") || take_flag(args, "-h"))
    args = {"help"};
  auto how = take_manners(args);
  if (args.empty() || args.front().starts_with('-'))
    return explain_usage(how, "");
  auto command = args.front();
  args.erase(args.begin());
  if (command == "help") {
    std::fputs(help, stdout);
    std::fputs(usage, stdout);
    return exit_ok;
  }
  constexpr std::string_view writers[] = {"names", "expand", "show", "get"};
  constexpr std::string_view doers[] = {"start",       "stop",    "stopwait",
                                        "stop_verify", "restart", "kill"};
  auto writes = std::ranges::find(writers, command) != std::end(writers);
  if (!writes && std::ranges::find(doers, command) == std::end(doers))
    return explain_usage(how, "Invalid command: " + command);
  std::string word;
  if (command == "expand" || command == "get") {
    if (args.empty())
      return explain_usage(how, "");
    word = args.front();
    args.erase(args.begin());
  }
  auto fail = [](const std::string& why) {
    std::fprintf(stderr, "umbel multi: %s\n", why.c_str());
    return exit_usage;
  };
  auto parsed = parse(args);
  if (!parsed)
    return fail(parsed.error().what);
  if (parsed->names.empty() && command != "get")
    return fail("no nodes are named: " + command
                + " takes names or a number of nodes");
  auto signal = signal_in(args, parsed->names.size()).value_or(SIGTERM);
  auto nodes = nodes_of(std::move(*parsed), {host_name(), own_program(argv0)});
  if (!nodes)
    return fail(nodes.error().what);
  if (writes)
    return show(command, word, *nodes);
  splash(how);
  return act(command, signal, cluster{std::move(*nodes), how});
}

} // namespace umbel
