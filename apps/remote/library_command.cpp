#include "apps/remote/library_command.hpp"

#include "actors/pool/ask_child.hpp"
#include "protocol/control/arguments.hpp"
#include "protocol/task/library.hpp"
#include "protocol/task/remote_command.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace umbel {

namespace {

/// What the libraries have.
expected<json::array> commands_of(const options& given) {
  auto child = find_child_program();
  if (!child)
    return child.error();
  std::vector<std::string> argv{*child, "--command"};
  for (auto& app : given.apps) {
    auto library = find_task_library(app, task_library_folders());
    if (!library)
      return library.error();
    argv.push_back(*library);
  }
  auto answer = ask_child(argv, remote_command::time_limit,
                          remote_command::answer_max);
  auto wrong = [](std::string_view what) {
    return error{errc::invalid_setting,
                 fmt::format("the task libraries cannot be asked for their "
                             "commands: {}",
                             what)};
  };
  if (!answer)
    return wrong(answer.error().what);
  if (auto why = answer->if_contains("error"); why && why->is_string())
    return wrong(why->get_string());
  auto all = answer->if_contains("commands");
  return all && all->is_array() ? std::move(all->get_array()) : json::array{};
}

std::string text_in(const json::object& x, std::string_view name) {
  auto text = remote::read_text(x, name);
  return text ? *text : std::string{};
}

json::value value_of(const std::string& word) {
  auto parsed = parse_json(word);
  return parsed ? std::move(*parsed) : json::value(word);
}

} // namespace

expected<json::object>
read_library_arguments(const options& given, command_kind kind,
                       const std::vector<std::string>& words) {
  auto all = commands_of(given);
  if (!all)
    return all.error();
  auto& name = words.front();
  auto type = kind == command_kind::inspect ? "inspect" : "control";
  auto found = std::ranges::find_if(*all, [&](const json::value& x) {
    return x.is_object() && text_in(x.get_object(), "type") == type
           && (text_in(x.get_object(), "name") == name
               || text_in(x.get_object(), "alias") == name);
  });
  if (found == all->end())
    return error{errc::not_found,
                 fmt::format("the task libraries have no command '{}'", name)};
  auto& command = found->get_object();
  auto parameters = remote::read_texts(command, "parameters");
  if (!parameters)
    return parameters.error();
  json::object result;
  for (auto& word : std::span{words}.subspan(1)) {
    auto equals = word.find('=');
    auto key = word.substr(0, equals);
    if (equals != word.npos
        && std::ranges::find(*parameters, key) != parameters->end()) {
      result[key] = value_of(word.substr(equals + 1));
      continue;
    }
    auto next = std::ranges::find_if(*parameters, [&](auto& x) {
      return !result.contains(x);
    });
    if (next == parameters->end())
      return error{errc::invalid_setting,
                   fmt::format("unexpected argument '{}'; usage: {} {}", word,
                               name, text_in(command, "signature"))};
    result[*next] = value_of(word);
  }
  return result;
}

} // namespace umbel
