#include "protocol/task/registry.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace umbel {

const task_definition* registry::find(std::string_view name) const noexcept {
  auto i = tasks_.find(name);
  return i != tasks_.end() ? i->second.get() : nullptr;
}

periodic_task& registry::add_periodic_task(periodic_schedule when,
                                           std::string task) {
  return periodic_.emplace_back(std::move(when), std::move(task));
}

remote_command& registry::add_command(remote_command x) {
  for (auto& known : commands_)
    if (known.is_called(x.name()))
      throw std::logic_error(
        fmt::format("duplicate command of remote control '{}'", x.name()));
  return commands_.emplace_back(std::move(x));
}

std::vector<task_options> registry::options() const {
  std::vector<task_options> to;
  for (auto& [name, task] : tasks_)
    to.emplace_back(task->options());
  return to;
}

void registry::add_unique_headers(task_call& x) const {
  if (auto* task = find(x.task))
    task->add_unique_headers(x);
}

std::string registry::function_name(const std::string& task) {
  return task.substr(task.rfind('.') + 1); // npos + 1 is 0
}

task_definition& registry::add(std::string name, task_function run,
                               bool takes_failure,
                               std::vector<arg> parameters) {
  if (name.empty())
    throw std::logic_error("a task has an empty name");
  auto [i, is_new] = tasks_.try_emplace(name);
  if (!is_new)
    throw std::logic_error(fmt::format("duplicate task '{}'", name));
  i->second
      = std::make_unique<task_definition>(name, std::move(run), takes_failure,
                                          std::move(parameters));
  return *i->second;
}

} // namespace umbel
