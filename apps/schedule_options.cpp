#include "apps/schedule_options.hpp"

#include "protocol/client/setting_table.hpp"

#include <charconv>
#include <functional>

namespace umbel {

namespace {

constexpr const char* entry_group = "The entry";

constexpr const char* add_footer =
    "An entry that is there already is left alone, unless --replace is given; "
    "one of\n"
    "the configuration then stays hidden until this one is removed.\n"
    "\n"
    "Examples:\n"
    "  umbel beat add report --task tasks.report --crontab '0 4 * * mon-fri'\n"
    "  umbel beat add tick --task tasks.add --args '[4, 4]' --every 0.5\n"
    "  umbel beat add lamps --task tasks.on --solar '[\"sunset\", 52.5, "
    "13.4]'\n"
    "  umbel beat add x --json-entry '{\"task\": \"t\", \"schedule\": 30, "
    "\"catch_up\": \"all\"}'";

CLI::Option* add(CLI::App& command, const char* in, const char* names,
                 const char* type, std::function<void(const std::string&)> use,
                 const char* meaning) {
  return command
      .add_option_function<std::string>(names, std::move(use), meaning)
      ->type_name(type)
      ->group(in)
      ->take_last();
}

/// A check that the value is JSON of a certain kind.
CLI::Validator json_such_as(std::function<bool(const json::value&)> right,
                            std::string example) {
  return CLI::Validator{[=](std::string& text) {
                          auto x = parse_json(text);
                          return x && right(*x)
                                     ? std::string{}
                                     : '\'' + text + "' is not JSON such as "
                                           + example;
                        },
                        ""};
}

bool is_list(const json::value& x) {
  return x.is_array();
}

bool is_mapping(const json::value& x) {
  return x.is_object();
}

void add_beat_setting(CLI::App& command, options& global, const char* names,
                 const char* type, const char* setting) {
  auto meaning = std::string{find_setting(setting)->meaning} + " [setting "
                 + setting + ']';
  command
      .add_option_function<std::string>(
          names,
          [&global, setting](const std::string& text) {
            global.assignments.emplace_back(setting, text);
          },
          meaning)
      ->type_name(type)
      ->group(options_group)
      ->take_last();
}

void add_definition(CLI::App& command, schedule_options& x) {
  auto& to = x.definition;
  add(
      command, entry_group, "--task", "NAME",
      [&to](auto& text) { to["task"] = text; }, "The task that is sent");
  add(
      command, entry_group, "--every", "SECONDS",
      [&to](auto& text) { to["schedule"] = *parse_json(text); },
      "It is due every so many seconds")
      ->check(json_such_as([](auto& v) { return v.is_number(); }, "30 or 0.5"));
  add(
      command, entry_group, "--crontab", "TEXT",
      [&to](auto& text) {
        to["schedule"] = {{"crontab", text}};
      },
      "Or: minute, hour, day of month, month, day of week");
  add(
      command, entry_group, "--solar", "JSON",
      [&to](auto& text) {
        to["schedule"] = {{"solar", *parse_json(text)}};
      },
      "Or: event, latitude and longitude")
      ->check(json_such_as(is_list, "[\"sunset\", 52.5, 13.4]"));
  add(
      command, entry_group, "-a,--args", "JSON",
      [&to](auto& text) { to["args"] = *parse_json(text); },
      "Positional arguments, a list [default: []]")
      ->check(json_such_as(is_list, "[4, \"text\"]"));
  add(
      command, entry_group, "-k,--kwargs", "JSON",
      [&to](auto& text) { to["kwargs"] = *parse_json(text); },
      "Keyword arguments, a mapping [default: {}]")
      ->check(json_such_as(is_mapping, "{\"x\": 4}"));
  add(
      command, entry_group, "--options", "JSON",
      [&to](auto& text) { to["options"] = *parse_json(text); },
      "Options of the task: queue, priority, expires ... [default: {}]")
      ->check(json_such_as(is_mapping, "{\"queue\": \"slow\"}"));
  add(
      command, entry_group, "--json-entry", "JSON",
      [&to](auto& text) {
        auto members = *parse_json(text);
        for (auto& [name, value] : members.as_object())
          to[name] = value;
      },
      "Any members, as an entry of the setting beat_schedule has them")
      ->check(json_such_as(is_mapping, "{\"task\": \"t\", \"schedule\": 30}"));
  command
      .add_flag("--replace", x.replace, "There may be an entry of this name")
      ->group(options_group)
      ->disable_flag_override();
}

} // namespace

const std::vector<schedule_verb>& schedule_verbs() {
  static const std::vector<schedule_verb> result{
      {"list", "Show the entries: task, schedule, when they are due.",
       "[NAME]...", ""},
      {"add", "Add an entry, which outlives the beat.", "NAME", add_footer},
      {"remove", "Remove entries that were added.", "NAME...", ""},
      {"enable", "Have entries sent again, from now on.", "NAME...", ""},
      {"disable", "Have entries not sent until they are enabled.", "NAME...",
       ""},
      {"run-now",
       "Send a task of these entries at once, beside those that are due.",
       "NAME...", ""},
      {"next", "Show the due times that come next.", "[NAME]...", ""},
  };
  return result;
}

void add_schedule_options(CLI::App& command, const schedule_verb& verb,
                          options& global, schedule_options& x) {
  command.add_option("name", x.names)->group("");
  add_beat_setting(command, global, "-s,--schedule", "PATH|URL",
              "beat_schedule_filename");
  command.add_flag("-j,--json", x.as_json, "Print JSON")
      ->group(options_group)
      ->disable_flag_override();
  if (verb.word == "add")
    add_definition(command, x);
  if (verb.word == "next")
    add(
        command, options_group, "-n,--count", "NUMBER",
        [&x](auto& text) { x.count = std::stoul(text); },
        "How many due times [default: 10]")
        ->check(CLI::Range(1, 10'000));
  add_global_options(command, global);
}

} // namespace umbel
