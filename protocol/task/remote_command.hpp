// Commands of remote control that a library brings along: Celery's
// @inspect_command and @control_command. Whoever may send to the broker may call
// them: `celery inspect`, `app.control.broadcast`, `umbel inspect`.
//
//   UMBEL_TASKS(app) {
//     app.task("tasks.add", add, "x", "y");
//     app.inspect_command("cache_size", [] { return measure_cache(); })
//       .help("Bytes in this machine's cache");
//     app.control_command("trim_cache", trim_cache, umbel::arg("keep") = 1'000)
//       .alias("trim");
//   }
//
// A command runs in a process of its own on the worker's machine, which loads the
// library for it and has `time_limit` seconds: whatever it does there, no worker
// and no task notices. It does not see the memory of the processes that run tasks.
#pragma once

#include "protocol/task/callable.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace umbel {

/// For whom a command answers. A command's function may take it, as its first
/// parameter, by reference to const.
struct command_context {
  std::string node;       ///< the worker's name, "celery@host"
  int64_t worker_pid = 0; ///< its process
};

class remote_command {
public:
  /// How long a command may take; then its process is killed.
  static constexpr std::chrono::seconds time_limit{5};

  /// Longest arguments and longest answer, in bytes of JSON.
  static constexpr size_t arguments_max = 64 << 10;
  static constexpr size_t answer_max = 16 << 20;

  /// @param type "inspect" (it only asks) or "control" (it changes something)
  remote_command(std::string name, std::string type, task_function run,
                 std::vector<std::string> parameters);

  // -- what its author says ---------------------------------------------------------

  /// One line for those who ask what there is.
  remote_command& help(std::string x);

  /// How its arguments are said. Default: their names.
  remote_command& signature(std::string x);

  /// Another name.
  remote_command& alias(std::string x);

  // -- what a worker asks -----------------------------------------------------------

  bool is_called(std::string_view x) const {
    return x == name_ || (!alias_.empty() && x == alias_);
  }

  const std::string& name() const noexcept {
    return name_;
  }

  /// {"name", "type", "alias", "help", "signature", "parameters": [names]}
  json::object description() const;

  /// @param arguments by name, as they came
  /// @throws wrong_call, and what the command throws
  json::value run(const command_context& self,
                  const json::object& arguments) const;

private:
  std::string name_;
  std::string type_;
  std::string help_;
  std::string signature_;
  std::string alias_;
  std::vector<std::string> parameters_;
  task_function run_;
};

namespace detail {

/// That of the command that this thread runs.
const command_context& current_command() noexcept;

template <class F, class... Ps>
auto without_command_context(F f, type_list<const command_context&, Ps...>) {
  return [f = std::move(f)](Ps... xs) mutable -> decltype(auto) {
    return f(current_command(), std::forward<Ps>(xs)...);
  };
}

template <class F, class... Ps>
F without_command_context(F f, type_list<Ps...>) {
  return f;
}

/// A command's function without the context that it may take.
template <class F>
auto plain_command(F&& f) {
  using function = std::decay_t<F>;
  using parameters = typename callable_traits<function>::parameters;
  return without_command_context<function>(std::forward<F>(f), parameters{});
}

template <class... Ps>
constexpr bool takes_task_context(type_list<Ps...>) {
  return (is_context<Ps> || ...);
}

} // namespace detail

/// Makes a command of a function, lambda or functor. All its parameters are named,
/// by strings or by umbel::arg, but for a command_context.
/// @throws std::logic_error as `make_task_function`
template <class F, class... Args>
remote_command make_remote_command(std::string name, std::string type, F&& f,
                                   Args&&... names) {
  auto plain = detail::plain_command(std::forward<F>(f));
  using parameters =
    typename detail::callable_traits<decltype(plain)>::parameters;
  static_assert(!detail::takes_task_context(parameters{}),
                "a command is no task: it may take a const "
                "umbel::command_context&");
  static_assert(sizeof...(Args) == detail::named_parameters<parameters>,
                "name every parameter of the command (a command_context, "
                "varargs and kwargs have no names)");
  std::vector<arg> args{arg(std::forward<Args>(names))...};
  std::vector<std::string> known;
  for (auto& x : args)
    known.push_back(x.name);
  auto run = make_task_function(std::move(plain), name, std::move(args));
  return {std::move(name), std::move(type), std::move(run), std::move(known)};
}

} // namespace umbel
