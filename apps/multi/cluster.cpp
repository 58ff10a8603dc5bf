#include "apps/multi/cluster.hpp"

#include "apps/daemon/pidfile.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace umbel::multi {

namespace {

using namespace std::chrono_literals;

constexpr auto look_interval = 20ms;

/// Between two dots.
constexpr auto dot_interval = 2s;

constexpr const char* blue = "34";
constexpr const char* green = "32";
constexpr const char* red = "31";
constexpr const char* magenta = "35";

/// Runs a command to its end. @returns its exit status, the negative number of
/// the signal that killed it, or nothing if it cannot be run.
std::optional<int> run(const std::string& program,
                       const std::vector<std::string>& args) {
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (auto& arg : args)
    argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  if (auto failure = posix_spawnp(&pid, program.c_str(), nullptr, nullptr,
                                  argv.data(), environ);
      failure != 0) {
    std::fprintf(stderr, "cannot execute %s: %s\n", program.c_str(),
                 std::strerror(failure));
    return std::nullopt;
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return std::nullopt;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void make_folder_of(const std::string& path) {
  std::error_code ignored; // the worker says why it cannot write there
  auto folder = std::filesystem::path{path}.parent_path();
  if (!folder.empty())
    std::filesystem::create_directories(folder, ignored);
}

} // namespace

// -- one node -----------------------------------------------------------------

bool cluster::start(const node& x) {
  if (manners_.verbose)
    say("\n  " + x.str() + "\n\t");
  make_folder_of(x.pidfile);
  make_folder_of(x.logfile);
  auto status = run(x.executable, x.args);
  if (status && *status < 0)
    say("* Child was terminated by signal " + std::to_string(-*status) + '\n');
  else if (status && *status > 0)
    say("* Child terminated with exit code " + std::to_string(*status) + '\n');
  auto ready = status == 0;
  say((ready ? colored(green, "OK") : colored(red, "FAILED")) + '\n');
  return ready;
}

std::optional<pid_t> cluster::pid_of(const node& x) const {
  return read_pidfile(x.pidfile);
}

// -- all of them --------------------------------------------------------------

template <class F>
std::vector<cluster::running> cluster::signal_all(int signal, F on_down) {
  std::vector<running> found;
  for (auto& x : nodes_) {
    if (auto pid = pid_of(x))
      found.push_back({&x, *pid});
    else
      on_down(x);
  }
  if (found.empty())
    return found;
  say(colored(blue, "> Stopping nodes...") + '\n');
  std::vector<running> result;
  for (auto& x : found) {
    auto number = std::to_string(x.pid);
    say("\t> " + x.which->name + ": " + signal_name(signal) + " -> " + number
        + '\n');
    if (is_alive(x.pid) && ::kill(x.pid, signal) == 0) {
      result.push_back(x);
      continue;
    }
    auto why = is_alive(x.pid) ? errno : ESRCH;
    say("Could not signal " + x.which->name + " (" + number
        + "): " + std::strerror(why) + '\n');
    if (why == ESRCH)
      on_down(*x.which);
  }
  return result;
}

template <class F>
void cluster::wait_for(std::vector<running> waiting, F on_down) {
  auto announce = [&] {
    std::string pids;
    for (auto& x : waiting)
      pids += (pids.empty() ? "" : ", ") + std::to_string(x.pid);
    auto n = waiting.size();
    say(colored(blue, "> Waiting for " + std::to_string(n)
                          + (n == 1 ? " node -> " : " nodes -> ") + pids
                          + "..."));
  };
  if (!waiting.empty())
    announce();
  auto next_dot = std::chrono::steady_clock::now() + dot_interval;
  while (!waiting.empty()) {
    auto ended = std::ranges::find_if(waiting, [](const running& x) {
      return !is_alive(x.pid);
    });
    if (ended != waiting.end()) {
      auto x = *ended;
      waiting.erase(ended);
      say("\n\t> " + x.which->name + ": " + colored(green, "OK") + '\n');
      on_down(*x.which);
      if (!waiting.empty())
        announce();
      continue;
    }
    if (std::chrono::steady_clock::now() >= next_dot) {
      say(".");
      next_dot += dot_interval;
    }
    std::this_thread::sleep_for(look_interval);
  }
}

bool cluster::start() {
  say("> Starting nodes...\n");
  auto result = true;
  for (auto& x : nodes_) {
    say("\t> " + x.name + ": ");
    result = start(x) && result;
  }
  return result;
}

void cluster::stop(int signal) {
  signal_all(signal, [this](const node& x) { say_down(x); });
}

void cluster::stop_and_wait(int signal) {
  auto down = [this](const node& x) { say_down(x); };
  wait_for(signal_all(signal, down), down);
}

bool cluster::restart(int signal) {
  auto result = true;
  auto again = [&](const node& x) {
    say(colored(blue, "> Restarting node " + x.name + ": "));
    result = start(x) && result;
  };
  wait_for(signal_all(signal, again), again);
  return result;
}

void cluster::kill() {
  for (auto& x : nodes_) {
    auto pid = pid_of(x);
    if (!pid) {
      say_down(x);
      continue;
    }
    auto number = std::to_string(*pid);
    say("Sending KILL to node " + x.name + " (" + number + ")\n");
    if (!is_alive(*pid) || ::kill(*pid, SIGKILL) != 0)
      say("Could not signal " + x.name + " (" + number + "): "
          + std::strerror(is_alive(*pid) ? errno : ESRCH) + '\n');
  }
}

// -- words --------------------------------------------------------------------

void cluster::say(const std::string& text) const {
  if (manners_.quiet)
    return;
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void cluster::say_down(const node& x) const {
  say("> " + x.name + ": " + colored(magenta, "DOWN") + '\n');
}

std::string cluster::colored(const char* color, const std::string& text) const {
  return manners_.color ? std::string{"\033[1;"} + color + 'm' + text + "\033[0m"
                        : text;
}

} // namespace umbel::multi
