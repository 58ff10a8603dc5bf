#include "protocol/control/command_table.hpp"

#include "protocol/client/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

namespace umbel {

namespace {

using enum parameter_kind;

constexpr command_parameter with_defaults[] = {{"with_defaults", truth}};
constexpr command_parameter ids[] = {{"ids", texts, true}};
constexpr command_parameter items[] = {{"taskinfoitems", texts}};
constexpr command_parameter samples[] = {{"samples", integer}};
constexpr command_parameter objects[]
  = {{"type"}, {"num", integer}, {"max_depth", integer}};
constexpr command_parameter task_ids[] = {{"task_id", texts, true}};
constexpr command_parameter signal_and_ids[]
  = {{"signal", text, true}, {"task_id", texts, true}};
constexpr command_parameter headers[] = {{"headers", texts, true}};
constexpr command_parameter rate[]
  = {{"task_name", text, true}, {"rate_limit", text, true}};
constexpr command_parameter limits[]
  = {{"task_name", text, true}, {"soft", number, true}, {"hard", number}};
constexpr command_parameter count[] = {{"n", integer}};
constexpr command_parameter bounds[] = {{"max", integer}, {"min", integer}};
constexpr command_parameter queue[] = {{"queue", text, true}};
constexpr command_parameter actor[] = {{"actor", text, true}};
constexpr command_parameter consumed[]
  = {{"queue", text, true}, {"exchange"}, {"exchange_type"}, {"routing_key"}};

using enum command_kind;
using enum answer_form;

constexpr command_description table[] = {
  {inspect, "active", {}, "Tasks that run now", tasks},
  {inspect, "active_queues", {}, "Queues that are consumed", queues},
  {inspect, "clock", {}, "Logical clocks", fields},
  {inspect, "conf", with_defaults, "Settings; WITH_DEFAULTS: all of them",
   fields},
  {inspect, "memdump", samples, "Memory in use since memsample (Python's workers)",
   page},
  {inspect, "memsample", {}, "Take a sample of the memory in use", word},
  {inspect, "objgraph", objects, "Draw a graph of objects (Python's workers)",
   fields},
  {inspect, "ping", {}, "Who is there", word},
  {inspect, "query_task", ids, "Who has these tasks, and what becomes of them",
   found},
  {inspect, "registered", items, "Tasks that can be run", names},
  {inspect, "report", {}, "Versions and settings, for a bug report", page},
  {inspect, "reserved", {}, "Tasks that were received and wait to run", tasks},
  {inspect, "revoked", {}, "Tasks that are not to run", names},
  {inspect, "scheduled", {}, "Tasks that wait for their time", waiting},
  {inspect, "stats", {}, "Counters, pool, memory", fields},
  {inspect, "tree", {}, "The supervision tree (Umbel's workers)",
   answer_form::tree},

  {control, "add_consumer", consumed, "Consume this queue, too"},
  {control, "autoscale", bounds, "Change the bounds of the pool's size"},
  {control, "cancel_consumer", queue, "Do not consume this queue any more"},
  {control, "disable_events", {}, "Do not send task events"},
  {control, "enable_events", {}, "Send task events"},
  {control, "heartbeat", {}, "Say at once that one lives"},
  {control, "kill", actor,
   "End an actor as a fault would, if worker_enable_control_kill allows it "
   "(Umbel's workers)"},
  {control, "pool_grow", count, "Add N children, or one"},
  {control, "pool_restart", {}, "Replace the pool's children"},
  {control, "pool_shrink", count, "Take N children away, or one"},
  {control, "rate_limit", rate,
   "How often a task may begin: 10/s, 100/m, 1000/h; 0: as often as you like"},
  {control, "revoke", task_ids, "Do not run these tasks"},
  {control, "revoke_by_stamped_headers", headers,
   "Do not run tasks with these stamps, KEY=VALUE"},
  {control, "shutdown", {}, "End: a warm shutdown, as by TERM", word, true},
  {control, "terminate", signal_and_ids,
   "Do not run these tasks, and kill those that run, by SIGTERM or SIGKILL"},
  {control, "time_limit", limits,
   "How many seconds a task may run before it is told, and before it is killed"},
};

std::string upper(std::string_view x) {
  std::string result{x};
  for (auto& c : result)
    c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return result;
}

template <class Number>
std::optional<Number> to_number(const std::string& x) {
  Number result{};
  auto [end, failure] = std::from_chars(x.data(), x.data() + x.size(), result);
  return failure == std::errc{} && end == x.data() + x.size()
           ? std::optional{result}
           : std::nullopt;
}

std::optional<bool> to_truth(std::string x) {
  for (auto& c : x)
    c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  for (auto word : {"true", "yes", "on", "1"})
    if (x == word)
      return true;
  for (auto word : {"false", "no", "off", "0"})
    if (x == word)
      return false;
  return std::nullopt;
}

error wrong(const command_description& x, const std::string& what) {
  return {errc::invalid_setting, what + "; usage: " + usage_of(x)};
}

expected<json::value> read_one(const command_description& x,
                               const command_parameter& as,
                               const std::string& word) {
  auto no = [&](const char* what) {
    return wrong(x, fmt::format("{}: '{}' is not {}", upper(as.name), word,
                                what));
  };
  switch (as.kind) {
    case integer:
      if (auto n = to_number<int64_t>(word))
        return json::value(*n);
      return no("a whole number");
    case number:
      if (auto n = to_number<double>(word); n && std::isfinite(*n))
        return json::value(*n);
      return no("a number of seconds");
    case truth:
      if (auto is = to_truth(word))
        return json::value(*is);
      return no("true or false");
    default:
      return json::value(word);
  }
}

std::vector<std::string_view> names_of(command_kind kind) {
  std::vector<std::string_view> result;
  for (auto& x : table)
    if (x.kind == kind)
      result.push_back(x.name);
  return result;
}

const char* program_of(command_kind kind) {
  return kind == inspect ? "inspect" : "control";
}

} // namespace

std::span<const command_description> commands() {
  return table;
}

const command_description* find_command(command_kind kind,
                                        std::string_view name) {
  for (auto& x : table)
    if (x.kind == kind && x.name == name)
      return &x;
  return nullptr;
}

std::string usage_of(const command_description& x) {
  std::string result{x.name};
  for (auto& p : x.parameters) {
    auto word = upper(p.name);
    if (p.kind == texts)
      word += "...";
    result += p.required ? " " + word : " [" + word + ']';
  }
  return result;
}

expected<json::object> read_arguments(const command_description& x,
                                      std::span<const std::string> words) {
  json::object result;
  size_t used = 0;
  for (auto& p : x.parameters) {
    if (used == words.size()) {
      if (p.required)
        return wrong(x, "which " + upper(p.name) + '?');
      break;
    }
    if (p.kind == texts) {
      json::array all;
      for (; used < words.size(); ++used)
        all.emplace_back(words[used]);
      result[p.name] = std::move(all);
      break;
    }
    auto value = read_one(x, p, words[used++]);
    if (!value)
      return value.error();
    result[p.name] = std::move(*value);
  }
  if (used < words.size())
    return wrong(x, "unexpected argument '" + words[used] + '\'');
  return result;
}

expected<json::object> read_assignments(std::span<const std::string> words) {
  json::object result;
  for (auto& word : words) {
    auto equals = word.find('=');
    if (equals == word.npos || equals == 0)
      return error{errc::invalid_setting,
                   "'" + word + "' is not NAME=VALUE"};
    auto value = word.substr(equals + 1);
    auto parsed = parse_json(value);
    result[word.substr(0, equals)] = parsed ? std::move(*parsed)
                                            : json::value(value);
  }
  return result;
}

std::string explain_unknown_command(command_kind kind, std::string_view name) {
  auto result = fmt::format("there is no command '{}'", name);
  auto other = kind == inspect ? control : inspect;
  if (find_command(other, name) != nullptr)
    return result + fmt::format(" that {}; '{} {}' is one",
                                kind == inspect ? "only asks"
                                                : "changes something",
                                program_of(other), name);
  auto candidates = names_of(kind);
  if (auto meant = nearest(name, candidates))
    return result + fmt::format("; did you mean '{}'?", *meant);
  return result
         + fmt::format("; '{} --help' lists all of them, and with --custom it "
                       "is sent all the same",
                       program_of(kind));
}

} // namespace umbel
