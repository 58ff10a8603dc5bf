#include "apps/remote/remote_options.hpp"

#include "apps/help.hpp"
#include "apps/options.hpp"

#include <charconv>
#include <cmath>

namespace umbel {

namespace {

constexpr const char* group = "Remote control options";

std::optional<double> positive_seconds(const std::string& text) {
  double x = 0;
  auto end = text.data() + text.size();
  auto [ptr, ec] = std::from_chars(text.data(), end, x);
  if (ec != std::errc{} || ptr != end || !(x > 0 && x <= 86'400))
    return std::nullopt;
  return x;
}

} // namespace

void add_remote_options(CLI::App& command, remote_options& x, bool custom) {
  command
    .add_option_function<std::string>(
      "-t,--timeout",
      [&x](const std::string& text) {
        x.timeout = std::chrono::milliseconds{
          std::llround(std::ceil(*positive_seconds(text) * 1'000))};
      },
      "How long answers are waited for [default: 1]")
    ->type_name("SECONDS")
    ->group(group)
    ->take_last()
    ->check(CLI::Validator{[](std::string& text) {
                             return positive_seconds(text)
                                      ? std::string{}
                                      : '\'' + text
                                          + "' is not a number of seconds up "
                                            "to 86400, more than 0";
                           },
                           ""});
  command
    .add_option_function<std::string>(
      "-d,--destination",
      [&x](const std::string& text) { x.destinations = split_list(text); },
      "Only these nodes, by their whole names [default: all]")
    ->type_name("NODE,...")
    ->group(group)
    ->take_last();
  command.add_option("-p,--pattern", x.pattern,
                     "Only nodes whose name matches this")
    ->type_name("PATTERN")
    ->group(group)
    ->take_last();
  command
    .add_option("-m,--matcher", x.matcher,
                "What the pattern is: glob, or pcre (a regular expression for "
                "the beginning of the name) [default: glob]")
    ->type_name("glob|pcre")
    ->group(group)
    ->take_last()
    ->check(CLI::Validator{[](std::string& text) {
                             return text == "glob" || text == "pcre"
                                      ? std::string{}
                                      : '\'' + text
                                          + "' is not glob or pcre";
                           },
                           ""});
  command
    .add_flag("-j,--json", x.json,
              "One JSON object, in place of tables: each node's answer by its "
              "name")
    ->group(group)
    ->disable_flag_override();
  if (custom)
    command
      .add_flag("--custom", x.custom,
                "COMMAND is one that only the workers know; its arguments are "
                "NAME=VALUE, values in JSON or as text")
      ->group(group)
      ->disable_flag_override();
}

void add_control_options(CLI::App& command, remote_options& x) {
  command
    .add_option("--signal", x.signal,
                "revoke and revoke_by_stamped_headers: also end those that run, "
                "by this")
    ->type_name("SIGTERM|SIGKILL|...")
    ->group(group)
    ->take_last();
}

std::string help_of_commands(command_kind kind) {
  std::string result = "Commands of workers:\n";
  for (auto& x : commands())
    if (x.kind == kind)
      append_help_entry(result, usage_of(x), std::string{x.help});
  return result;
}

} // namespace umbel
