#include "apps/schedule_command.hpp"

#include "actors/beat/run_beat.hpp"
#include "apps/configure.hpp"
#include "apps/exit_status.hpp"
#include "apps/help.hpp"
#include "apps/remote/remote_session.hpp"
#include "apps/remote/text_table.hpp"
#include "apps/schedule_options.hpp"
#include "protocol/schedule/operations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace umbel {

namespace {

using schedule::entry_status;
using schedule::operations;

/// An entry that is refused is not a broker that cannot be reached.
int status_of_change(const error& x) {
  return x.code == errc::refused ? exit_failure : status_of(x);
}

/// One run of a command, for its output.
class session {
public:
  session(operations at, const schedule_options& x)
      : at_(std::move(at)), x_(x) {
  }

  expected<void> run(std::string_view verb) {
    if (verb == "list")
      return list();
    if (verb == "next")
      return next();
    if (x_.names.empty())
      return error{errc::invalid_setting, "which entry?"};
    if (verb == "add" && x_.names.size() > 1)
      return error{errc::invalid_setting, "one entry at a time"};
    for (auto& name : x_.names)
      if (auto done = change(verb, name); !done)
        return done;
    if (at_.leader().empty())
      std::fputs("no beat is running: one that is started will know\n", stderr);
    return {};
  }

private:
  // -- output -----------------------------------------------------------------------

  /// In the schedule's zone, to the second.
  std::string shown(timestamp x) const {
    if (x == timestamp{})
      return "-";
    auto offset = at_.zone().period(x).offset;
    auto wall = std::chrono::floor<std::chrono::seconds>(x) + offset;
    auto day = std::chrono::floor<std::chrono::days>(wall);
    std::chrono::year_month_day date{day};
    std::chrono::hh_mm_ss time{wall - day};
    auto minutes = std::chrono::duration_cast<std::chrono::minutes>(offset);
    return fmt::format(
        "{}-{:02}-{:02} {:02}:{:02}:{:02}{}{:02}:{:02}",
        static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()), time.hours().count(),
        time.minutes().count(), time.seconds().count(),
        minutes.count() < 0 ? '-' : '+', std::abs(minutes.count()) / 60,
        std::abs(minutes.count()) % 60);
  }

  static json::value time_of(timestamp x) {
    return x == timestamp{} ? json::value{} : json::value(format_time(x));
  }

  static json::object to_object(const entry_status& x) {
    json::object result;
    result["name"] = x.stored.name;
    auto definition = parse_json(x.stored.definition);
    result["entry"] = definition ? *definition : json::value{};
    result["source"] = x.stored.live ? "command" : "configuration";
    result["enabled"] = x.stored.enabled;
    result["next"] = x.next ? time_of(*x.next) : json::value{};
    result["last_run_at"] = time_of(x.stored.runs.last_run_at);
    result["total_run_count"] = x.stored.runs.total_run_count;
    if (!x.fault.empty())
      result["fault"] = x.fault;
    return result;
  }

  /// All of them, or the named ones.
  expected<std::vector<entry_status>> chosen() const {
    if (x_.names.empty())
      return at_.list();
    std::vector<entry_status> result;
    for (auto& name : x_.names) {
      auto found = at_.find(name);
      if (!found)
        return found.error();
      result.push_back(std::move(*found));
    }
    return result;
  }

  // -- commands ---------------------------------------------------------------------

  expected<void> list() {
    auto all = chosen();
    if (!all)
      return all.error();
    if (x_.as_json) {
      json::array items;
      for (auto& x : *all)
        items.emplace_back(to_object(x));
      std::puts(to_json(items).c_str());
      return {};
    }
    text_table table{
        {"NAME", "TASK", "SCHEDULE", "NEXT", "LAST RUN", "RUNS", "STATE"}};
    for (auto& x : *all) {
      auto state = !x.fault.empty()   ? x.fault
                   : x.stored.enabled ? x.stored.live ? "added" : ""
                                      : "disabled";
      table.add({x.stored.name, x.what ? x.what->call.task : "?",
                 schedule::describe_schedule(x.stored.definition),
                 x.next ? shown(*x.next) : "-",
                 shown(x.stored.runs.last_run_at),
                 std::to_string(x.stored.runs.total_run_count), state});
    }
    std::fputs(table.text().c_str(), stdout);
    std::printf("\n%s\n", at_.leader().empty()
                             ? "No beat is running."
                             : ("Led by " + at_.leader() + '.').c_str());
    return {};
  }

  expected<void> next() {
    auto all = chosen();
    if (!all)
      return all.error();
    std::vector<std::pair<timestamp, const entry_status*>> heap;
    for (auto& x : *all)
      if (x.next)
        heap.emplace_back(*x.next, &x);
    auto later = std::greater{};
    std::ranges::make_heap(heap, later);
    text_table table{{"DUE", "NAME", "TASK"}};
    json::array items;
    for (size_t i = 0; i < x_.count && !heap.empty(); ++i) {
      std::ranges::pop_heap(heap, later);
      auto [due, x] = heap.back();
      heap.pop_back();
      auto& task = x->what->call.task;
      table.add({shown(due), x->stored.name, task});
      items.emplace_back(json::object{
          {"due", format_time(due)}, {"name", x->stored.name}, {"task", task}});
      auto after = schedule::next(x->what->when, due);
      if (after <= due || after == timestamp::max())
        continue;
      heap.emplace_back(after, x);
      std::ranges::push_heap(heap, later);
    }
    if (x_.as_json)
      std::puts(to_json(items).c_str());
    else
      std::fputs(table.text().c_str(), stdout);
    return {};
  }

  expected<void> change(std::string_view verb, const std::string& name) {
    if (verb == "remove" || verb == "run-now") {
      auto done = verb == "remove" ? at_.remove(name) : at_.run_now(name);
      if (!done)
        return done;
      return tell(name, verb == "remove" ? "removed" : "will be sent at once");
    }
    auto done = verb == "add" ? at_.add(name, x_.definition, x_.replace, now())
                              : at_.enable(name, verb == "enable", now());
    if (!done)
      return done.error();
    if (x_.as_json) {
      std::puts(to_json(to_object(*done)).c_str());
      return {};
    }
    auto next = done->next ? ", due next at " + shown(*done->next) : "";
    return tell(name, verb == "add"      ? "added" + next
                      : verb == "enable" ? "enabled" + next
                                         : "disabled");
  }

  expected<void> tell(const std::string& name, const std::string& what) const {
    if (x_.as_json)
      std::puts(to_json(json::object{{"name", name}, {"done", what}}).c_str());
    else
      std::printf("%s: %s\n", name.c_str(), what.c_str());
    return {};
  }

  operations at_;
  const schedule_options& x_;
};

expected<void> run(const std::string& name, std::string_view verb,
                   const options& given,
                   const schedule_options& x) {
  auto loaded = read_settings(name, given);
  if (!loaded)
    return loaded.error();
  auto zone = schedule::time_zone::find(loaded->timezone);
  if (!zone)
    return error{errc::invalid_setting, "timezone: " + zone.error().what};
  auto store = open_schedule(loaded->beat_schedule_filename, loaded->broker_url,
                             to_broker_options(*loaded), database_role::guest);
  if (!store)
    return store.error();
  auto at = operations::begin(**store, *zone);
  if (!at)
    return at.error();
  return session{std::move(*at), x}.run(verb);
}

/// Where "beat" and one of the verbs stand, or the end.
std::vector<std::string>::const_iterator
position(const std::vector<std::string>& args) {
  return std::ranges::adjacent_find(args, [](auto& first, auto& second) {
    return first == "beat"
           && std::ranges::find(schedule_verbs(), second, &schedule_verb::word)
                  != schedule_verbs().end();
  });
}

} // namespace

bool is_schedule_command(const std::vector<std::string>& args) {
  return position(args) != args.end();
}

int run_schedule_command(const std::string& program,
                         std::vector<std::string> args) {
  auto at = args.begin() + (position(args) - args.cbegin());
  auto& verb =
      *std::ranges::find(schedule_verbs(), at[1], &schedule_verb::word);
  args.erase(at, at + 2);
  auto name = program + " beat " + std::string{verb.word};
  auto complain = [&](const std::string& what, int status) {
    return refuse(name, what, status);
  };
  options given;
  schedule_options x;
  CLI::App command{verb.meaning, name};
  command.formatter(
      std::make_shared<help_formatter>(name + " [OPTIONS] " + verb.arguments));
  command.footer(verb.footer);
  add_schedule_options(command, verb, given, x);
  std::ranges::reverse(args); // CLI11 takes them from the end
  try {
    command.parse(std::move(args));
  } catch (const CLI::CallForHelp&) {
    std::fputs(command.help().c_str(), stdout);
    return exit_ok;
  } catch (const CLI::ExtrasError&) {
    return complain("there is no option " + command.remaining().front() + "; '"
                        + name + " --help' lists all of them",
                    exit_usage);
  } catch (const CLI::ParseError& e) {
    return complain("option " + std::string{e.what()}, exit_usage);
  }
  auto done = run(name, verb.word, given, x);
  return done ? exit_ok : complain(done.error().what, status_of_change(done.error()));
}

} // namespace umbel
