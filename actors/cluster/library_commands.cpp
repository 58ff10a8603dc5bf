#include "actors/cluster/library_commands.hpp"

#include "actors/pool/ask_child.hpp"
#include "protocol/control/arguments.hpp"
#include "protocol/task/remote_command.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

namespace umbel {

namespace {

constexpr size_t running_max = 4;

/// Detached: it waits for the child.
void ask(caf::event_based_actor*, const caf::actor& whom, library_answer to,
         const std::vector<std::string>& argv) {
  to.result = ask_child(argv, remote_command::time_limit,
                        remote_command::answer_max);
  caf::anon_send(whom, std::move(to));
}

json::value unknown(const std::string& name) {
  spdlog::error("there is no control command {}",
                python_repr(json::value(name), 40));
  return remote::failed(
    fmt::format("KeyError({})", python_repr(json::value(name), 100)));
}

} // namespace

bool may_be_library_command(const control_state& self,
                            const std::string& name) {
  auto& config = *self.options.config;
  return !config.child_executable.empty() && !config.libraries.empty()
         && (!self.library_commands || self.library_commands->contains(name));
}

void run_library_command(control_state& self, const control_request& x,
                         answer_function answer) {
  auto arguments = to_json(x.arguments);
  if (arguments.size() > remote_command::arguments_max)
    return answer(remote::failed(
      fmt::format("arguments of {} bytes; at most {} are possible",
                  arguments.size(), remote_command::arguments_max)));
  if (self.library_commands_running == running_max)
    return answer(remote::failed(fmt::format(
      "{} commands of task libraries run already", running_max)));
  ++self.library_commands_running;
  spdlog::info("remote control: the task libraries are asked for {}",
               python_repr(json::value(x.method), 40));
  auto& config = *self.options.config;
  std::vector<std::string> argv{config.child_executable, "--command"};
  argv.insert(argv.end(), config.libraries.begin(), config.libraries.end());
  for (auto& word : {std::string{"--"}, self.node().str(),
                     std::to_string(::getpid()), x.method, arguments})
    argv.push_back(word);
  library_answer to{x.method, std::move(answer), json::object{}};
  self.self->spawn<caf::detached>(ask, caf::actor{self.self}, std::move(to),
                                  std::move(argv));
}

void on_library_answer(control_state& self, library_answer& x) {
  --self.library_commands_running;
  auto fail = [&](const std::string& what) {
    spdlog::error("remote control: {}: {}", x.name, what);
    x.answer(remote::failed(what));
  };
  if (!x.result)
    return fail(fmt::format("{} did not answer: {}", x.name,
                            x.result.error().what));
  if (auto answer = x.result->if_contains("answer"))
    return x.answer(std::move(*answer));
  if (auto why = x.result->if_contains("error"); why && why->is_string())
    return fail(std::string{why->get_string()});
  // There is no such command: these are all.
  auto& known = self.library_commands.emplace();
  if (auto all = x.result->if_contains("commands"); all && all->is_array())
    for (auto& one : all->get_array())
      for (auto name : {"name", "alias"})
        if (auto text = one.is_object() ? one.get_object().if_contains(name)
                                        : nullptr;
            text && text->is_string())
          known.emplace(text->get_string());
  x.answer(unknown(x.name));
}

} // namespace umbel
