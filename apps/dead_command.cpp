#include "apps/dead_command.hpp"

#include "apps/configure.hpp"
#include "apps/exit_status.hpp"
#include "apps/remote/remote_session.hpp"
#include "apps/remote/text_table.hpp"
#include "protocol/message/delivery_history.hpp"
#include "protocol/message/task_message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

namespace umbel {

namespace {

/// One letter, with what its message says.
struct shown_letter {
  queue_name queue;
  dead_letter letter;
  std::string task;
  std::string task_id;
};

using letters = std::vector<shown_letter>;

std::string since(const dead_letter& x) {
  return x.at == timestamp{} ? "-" : format_time(x.at).substr(0, 19);
}

std::string title(const shown_letter& x) {
  if (x.task.empty())
    return "-";
  return x.task_id.empty() ? x.task : x.task + '[' + x.task_id + ']';
}

// -- what is there ------------------------------------------------------------

/// @param configured where the broker cannot tell which have dead letters
expected<std::vector<queue_name>>
queues_of(broker& from, const std::vector<std::string>& configured,
          const dead_options& x) {
  if (x.queues.empty()) {
    auto found = from.dead_queues();
    if (found || found.error().code != errc::unsupported)
      return found;
  }
  std::vector<queue_name> result;
  for (auto& name : x.queues.empty() ? configured : x.queues)
    result.emplace_back(name);
  return result;
}

expected<letters> read_letters(broker& from,
                               const std::vector<queue_name>& queues,
                               size_t max, const dead_options& x) {
  letters result;
  for (auto& queue : queues) {
    auto found = from.dead_letters(queue, max);
    if (!found)
      return found.error();
    for (auto& letter : *found) {
      auto chosen = x.ids.empty()
                    || std::ranges::find(x.ids, letter.id) != x.ids.end();
      if (!chosen)
        continue;
      auto task = read_header_text(letter.payload, "task");
      auto task_id = read_header_text(letter.payload, "id");
      result.push_back({queue, std::move(letter), std::move(task),
                        std::move(task_id)});
    }
  }
  return result;
}

/// The ids that none of these has.
std::vector<std::string> missing(const letters& found, const dead_options& x) {
  std::vector<std::string> result;
  for (auto& id : x.ids)
    if (std::ranges::none_of(found, [&](auto& y) { return y.letter.id == id; }))
      result.push_back(id);
  return result;
}

// -- showing it ---------------------------------------------------------------

json::value text_or_null(const std::string& x) {
  return x.empty() ? json::value{} : json::value(x);
}

json::object to_json_object(const shown_letter& x, bool whole) {
  auto history = read_history(x.letter.payload);
  json::object result{
    {"id", x.letter.id},
    {"queue", x.queue.str()},
    {"at", x.letter.at == timestamp{} ? json::value{}
                                      : json::value(format_time(x.letter.at))},
    {"reason", x.letter.reason},
    {"task", text_or_null(x.task)},
    {"task_id", text_or_null(x.task_id)},
    {"deliveries", history.count}};
  if (!whole)
    return result;
  json::array notes;
  for (auto& note : history.notes)
    notes.push_back(json::object{{"at", format_time(note.at)},
                                 {"node", note.node},
                                 {"end", text_or_null(note.end)}});
  result["history"] = std::move(notes);
  auto message = parse_json(x.letter.payload);
  result["message"] = message ? std::move(*message)
                              : json::value(x.letter.payload);
  return result;
}

void print_json(const letters& found, bool whole) {
  json::array result;
  for (auto& x : found)
    result.push_back(to_json_object(x, whole));
  std::printf("%s\n", to_json(result).c_str());
}

void print_table(const letters& found) {
  text_table table{{"ID", "SINCE (UTC)", "QUEUE", "TASK", "REASON"}};
  for (auto& x : found)
    table.add({x.letter.id, since(x.letter), x.queue.str(),
               cut(one_line(title(x)), 60), cut(one_line(x.letter.reason), 120)});
  std::fputs(table.text().c_str(), stdout);
}

void print_whole(const shown_letter& x) {
  auto header = [&](const char* name) {
    return one_line(read_header_text(x.letter.payload, name));
  };
  fmt::print("{}\n  queue       {}\n  since       {}\n  reason      {}\n",
             x.letter.id, x.queue.str(), since(x.letter),
             one_line(x.letter.reason));
  if (!x.task.empty())
    fmt::print("  task        {}\n  arguments   {} {}\n  sent by     {}\n",
               one_line(title(x)), header("argsrepr"), header("kwargsrepr"),
               header("origin"));
  auto history = read_history(x.letter.payload);
  if (history.count > 0)
    fmt::print("  deliveries  {}\n", history.count);
  for (auto& note : history.notes)
    fmt::print("    {}  {}  {}\n", format_time(note.at).substr(0, 19),
               one_line(note.node),
               note.end.empty() ? "its worker died" : one_line(note.end));
  fmt::print("  message     {}\n", one_line(x.letter.payload));
}

// -- the actions --------------------------------------------------------------

int look(const dead_options& x, const letters& found) {
  auto whole = x.action == "show";
  if (x.json)
    print_json(found, whole);
  else if (whole)
    for (auto& letter : found)
      print_whole(letter);
  else if (found.empty())
    std::puts("there are no dead letters");
  else
    print_table(found);
  return exit_ok;
}

expected<int> take(broker& from, const dead_options& x, const letters& found) {
  std::map<queue_name, std::vector<std::string>> ids;
  for (auto& letter : found)
    ids[letter.queue].push_back(letter.letter.id);
  auto fate = x.action == "replay" ? dead_fate::replay : dead_fate::discard;
  json::object counts;
  size_t total = 0;
  std::string queues;
  for (auto& [queue, some] : ids) {
    auto taken = from.take_dead(queue, some, fate);
    if (!taken)
      return taken.error();
    total += *taken;
    counts[queue.str()] = *taken;
    queues += fmt::format("{}{}: {}", queues.empty() ? "" : ", ", queue.str(),
                          *taken);
  }
  auto done = x.action == "replay" ? "replayed" : "discarded";
  if (x.json)
    std::printf("%s\n", to_json(json::object{{done, std::move(counts)}}).c_str());
  else
    fmt::print("{} {} message{}{}\n", done, total, total == 1 ? "" : "s",
               queues.empty() ? "" : " (" + queues + ")");
  return exit_ok;
}

std::string complaint_about(const dead_options& x) {
  constexpr std::string_view actions[] = {"list", "show", "replay", "discard"};
  if (std::ranges::find(actions, x.action) == std::end(actions))
    return '\'' + x.action + "' is not one of list, show, replay, discard";
  if (x.all && !x.ids.empty())
    return "--all, or ids: not both";
  if (x.action == "list" && !x.ids.empty())
    return "list takes no ids; 'show' does";
  if (x.action != "list" && x.ids.empty() && !x.all)
    return x.action + " which? Name ids, or --all; 'list' shows what there is";
  return {};
}

} // namespace

void add_dead_options(CLI::App& command, dead_options& x) {
  // No group: the usage line shows them.
  command.add_option("action", x.action)->group("");
  command.add_option("ids", x.ids)->group("");
  command
    .add_option_function<std::vector<std::string>>(
      "-Q,--queues",
      [&x](const std::vector<std::string>& given) {
        for (auto& text : given)
          for (auto& name : split_list(text))
            x.queues.push_back(name);
      },
      "Dead letters of these queues only [default: of all queues]")
    ->type_name("NAME,...")
    ->group(options_group)
    ->expected(1)
    ->take_all();
  command.add_flag("--all", x.all, "All of them, instead of ids")
    ->group(options_group)
    ->disable_flag_override();
  command.add_flag("-j,--json", x.json, "JSON instead of text")
    ->group(options_group)
    ->disable_flag_override();
}

int run_dead_command(const std::string& name, const options& given,
                     const dead_options& x) {
  if (auto text = complaint_about(x); !text.empty())
    return refuse(name, text, exit_usage);
  auto loaded = read_settings(name, given);
  if (!loaded)
    return refuse(name, loaded.error().what, exit_usage);
  auto options = to_broker_options(*loaded);
  options.node = node_name{"dead@umbel"};
  options.incarnation = make_uuid();
  auto connection = connect_broker(loaded->broker_url, options);
  if (!connection)
    return refuse(name, connection.error().what,
                  status_of(connection.error()));
  std::vector<std::string> configured{loaded->task_default_queue};
  for (auto& queue : loaded->task_queues)
    if (std::ranges::find(configured, queue.name) == configured.end())
      configured.push_back(queue.name);
  auto queues = queues_of(**connection, configured, x);
  if (!queues)
    return refuse(name, queues.error().what, status_of(queues.error()));
  auto found
    = read_letters(**connection, *queues, options.dead_letters_max, x);
  if (!found)
    return refuse(name, found.error().what, status_of(found.error()));
  auto absent = missing(*found, x);
  for (auto& id : absent)
    refuse(name, "there is no dead letter '" + id + "'", exit_failure);
  expected<int> status = x.action == "list" || x.action == "show"
                           ? look(x, *found)
                           : take(**connection, x, *found);
  if (!status)
    return refuse(name, status.error().what, status_of(status.error()));
  return absent.empty() ? *status : exit_failure;
}

} // namespace umbel
