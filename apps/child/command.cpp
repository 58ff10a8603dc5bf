#include "apps/child/command.hpp"

#include "apps/child/answer.hpp"
#include "protocol/task/describe_exception.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <exception>

namespace umbel {

namespace {

json::object all_of(const registry& tasks) {
  json::array result;
  for (auto& x : tasks.commands())
    result.push_back(x.description());
  return {{"commands", std::move(result)}};
}

json::object run(const remote_command& command, const command_context& self,
                 const std::string& arguments) {
  auto fields = parse_json(arguments);
  if (!fields || !fields->is_object())
    return error_of("the arguments are no object");
  try {
    json::object result{{"answer", command.run(self, fields->get_object())}};
    if (auto size = to_json(result).size(); size > remote_command::answer_max)
      return error_of(fmt::format("an answer of {} bytes; at most {} are possible",
                                  size, remote_command::answer_max));
    return result;
  } catch (...) {
    return error_of(
      describe_exception(std::current_exception(), command.name()).repr());
  }
}

} // namespace

int answer_command(const std::vector<std::string>& args) {
  auto dashes = std::ranges::find(args, "--");
  registry tasks;
  if (auto loaded = load_to_answer(tasks, {args.begin(), dashes}); !loaded)
    return answer(error_of(loaded.error().what));
  if (args.end() - dashes < 5)
    return answer(all_of(tasks));
  command_context self{dashes[1], std::atoll(dashes[2].c_str())};
  auto command = std::ranges::find_if(tasks.commands(), [&](auto& x) {
    return x.is_called(dashes[3]);
  });
  if (command == tasks.commands().end())
    return answer(all_of(tasks));
  return answer(run(*command, self, dashes[4]));
}

} // namespace umbel
