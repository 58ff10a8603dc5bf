// The tasks of this process. Filled when the task libraries are loaded, then
// shared, constant, by all threads that run tasks.
#pragma once

#include "protocol/task/definition.hpp"
#include "protocol/task/periodic.hpp"
#include "protocol/task/remote_command.hpp"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace umbel {

class registry {
public:
  /// Makes `f` the task `name`. `f` is a function, a lambda or a functor; the
  /// parameters are named by strings, or by umbel::arg if they have defaults.
  /// Pools of threads call one `f` from several threads at once.
  /// @returns the definition, to set options; it lives as long as the registry
  /// @throws std::logic_error if there is such a task, or for a bad name
  template <class F, class... Args>
  task_definition& task(std::string name, F&& f, Args&&... names) {
    constexpr auto named = detail::named_parameters<
        typename detail::callable_traits<std::decay_t<F>>::parameters>;
    static_assert(sizeof...(Args) == 0 || sizeof...(Args) == named,
                  "name every parameter of the task or none (a context, "
                  "varargs and kwargs have no names)");
    auto function = function_name(name);
    auto several
        = named > 1
          || detail::has_varargs<
              typename detail::callable_traits<std::decay_t<F>>::parameters>;
    std::vector<arg> parameters{arg(std::forward<Args>(names))...};
    auto run = make_task_function(std::forward<F>(f), std::move(function),
                                  parameters);
    if (parameters.empty())
      for (size_t i = 1; i <= named; ++i)
        parameters.emplace_back("arg" + std::to_string(i));
    return add(std::move(name), std::move(run), several, std::move(parameters));
  }

  /// Says in the headers of a call that it is unique, if its task is known to be.
  void add_unique_headers(task_call& x) const;

  /// Has `task`, of this library or another one, sent by whoever is the beat.
  /// @returns its description, to add arguments and options; it lives as long as the
  ///          registry
  periodic_task& add_periodic_task(periodic_schedule when, std::string task);

  /// In the order in which they were added.
  const std::deque<periodic_task>& periodic_tasks() const noexcept {
    return periodic_;
  }

  /// Makes `f` a command of remote control that only asks.
  /// @returns its description, to add help and an alias; it lives as long as the
  ///          registry
  /// @throws std::logic_error as `task`
  template <class F, class... Args>
  remote_command& inspect_command(std::string name, F&& f, Args&&... names) {
    return add_command(make_remote_command(std::move(name), "inspect",
                                           std::forward<F>(f),
                                           std::forward<Args>(names)...));
  }

  /// The same for one that changes something.
  template <class F, class... Args>
  remote_command& control_command(std::string name, F&& f, Args&&... names) {
    return add_command(make_remote_command(std::move(name), "control",
                                           std::forward<F>(f),
                                           std::forward<Args>(names)...));
  }

  /// In the order in which they were added.
  const std::deque<remote_command>& commands() const noexcept {
    return commands_;
  }

  /// The task, or null.
  const task_definition* find(std::string_view name) const noexcept;

  /// All tasks, ordered by name.
  std::vector<task_options> options() const;

  /// Functions of the author's to be called when something happens here:
  /// `app.signals().worker_process_init.connect(connect_to_database);`
  task_signals& signals() noexcept {
    return signals_;
  }

  const task_signals& signals() const noexcept {
    return signals_;
  }

  size_t size() const noexcept {
    return tasks_.size();
  }

private:
  /// "shop.orders.charge" is the function charge().
  static std::string function_name(const std::string& task);

  task_definition& add(std::string name, task_function run, bool takes_failure,
                       std::vector<arg> parameters);
  remote_command& add_command(remote_command x);

  std::map<std::string, std::unique_ptr<task_definition>, std::less<>> tasks_;
  std::deque<periodic_task> periodic_;
  task_signals signals_;
  std::deque<remote_command> commands_;
};

} // namespace umbel
