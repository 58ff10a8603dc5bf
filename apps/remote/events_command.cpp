#include "apps/remote/events_command.hpp"

#include "apps/exit_status.hpp"
#include "apps/remote/end_signal.hpp"
#include "apps/remote/event_dump.hpp"
#include "apps/remote/event_screen.hpp"
#include "apps/remote/remote_session.hpp"
#include "protocol/client/broadcast_settings.hpp"

#include <csignal>
#include <cstdio>
#include <thread>

#include <unistd.h>

namespace umbel {

namespace {

using namespace std::chrono_literals;

/// How often it is looked whether there are events, and whether it is the end.
constexpr auto between_looks = 50ms;

int dump(const std::string& name, event_listener& events, bool as_json) {
  expect_end_signal({SIGINT, SIGTERM});
  if (!as_json)
    std::puts("-> evdump: starting capture...");
  std::fflush(stdout);
  event_dump lines;
  std::string trouble;
  while (!end_signalled()) {
    auto heard = events.fetch();
    for (auto& [at, x] : heard.events) {
      auto line = as_json ? event_as_json(x, at) : lines.line(x, at);
      if (std::puts(line.c_str()) < 0)
        return exit_failure;
    }
    if (std::fflush(stdout) != 0)
      return exit_failure;
    if (heard.lost > 0)
      refuse(name, std::to_string(heard.lost) + " events were lost: they came "
                     "faster than they could be written", exit_ok);
    if (heard.trouble != trouble) {
      trouble = heard.trouble;
      refuse(name, trouble.empty() ? "connected again" : trouble, exit_ok);
    }
    if (heard.events.empty())
      std::this_thread::sleep_for(between_looks);
  }
  return exit_ok;
}

} // namespace

void add_events_options(CLI::App& command, events_options& x) {
  constexpr const char* group = "Options of events";
  command
    .add_flag("-d,--dump", x.dump, "Write each event as a line, until the end")
    ->group(group)
    ->disable_flag_override();
  command
    .add_flag("-j,--json", x.json,
              "With --dump: each line is the event as a JSON object")
    ->group(group)
    ->disable_flag_override();
}

int run_events_command(const std::string& name, const options& given,
                       const events_options& x) {
  if (x.json && !x.dump)
    return refuse(name, "option --json goes with --dump", exit_usage);
  if (!x.dump && (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0))
    return refuse(name, "the live view needs a terminal; use --dump",
                  exit_usage);
  auto loaded = read_settings(name, given);
  if (!loaded)
    return refuse(name, loaded.error().what, exit_usage);
  auto how = to_control_client_options(*loaded);
  auto events = event_listener::start(how.broker_url, how.broker,
                                      to_event_rules(*loaded), how.broadcasts);
  if (!events)
    return refuse(name, events.error().what, status_of(events.error()));
  if (x.dump)
    return dump(name, **events, x.json);
  auto workers = control_client::connect(how);
  if (!workers)
    return refuse(name, workers.error().what, status_of(workers.error()));
  return run_event_screen(**events, *workers, workers->location());
}

} // namespace umbel
