#include "apps/child/periodic.hpp"

#include "apps/child/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace umbel {

namespace {

json::object entries_of(const registry& tasks) {
  json::object entries;
  json::array lazy;
  for (auto& x : tasks.periodic_tasks()) {
    auto name = x.name();
    if (entries.contains(name))
      return error_of(fmt::format(
          "there are two periodic tasks '{}': give one of them another name()",
          name));
    entries[name] = x.definition();
    if (x.is_lazy())
      lazy.emplace_back(name);
  }
  return {{"entries", std::move(entries)}, {"lazy", std::move(lazy)}};
}

json::object arguments_of(const registry& tasks,
                          const std::vector<std::string>& names) {
  json::object result;
  for (auto& x : tasks.periodic_tasks()) {
    auto name = x.name();
    if (std::ranges::find(names, name) == names.end())
      continue;
    try {
      auto [args, kwargs] = x.arguments();
      result[name] = json::object{{"args", std::move(args)},
                                  {"kwargs", std::move(kwargs)}};
    } catch (const std::exception& e) {
      result[name] = error_of(e.what());
    } catch (...) {
      result[name] = error_of("an exception that is no std::exception");
    }
  }
  return result;
}

} // namespace

int answer_periodic(const std::vector<std::string>& args) {
  auto dashes = std::ranges::find(args, "--");
  registry tasks;
  if (auto loaded = load_to_answer(tasks, {args.begin(), dashes}); !loaded)
    return answer(error_of(loaded.error().what));
  if (dashes == args.end())
    return answer(entries_of(tasks));
  return answer(arguments_of(tasks, {dashes + 1, args.end()}));
}

} // namespace umbel
