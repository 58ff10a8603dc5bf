#include "apps/child/periodic.hpp"

#include "protocol/message/json.hpp"
#include "protocol/task/library.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include <unistd.h>

namespace umbel {

namespace {

constexpr int answer_fd = 3;

int answer(const json::value& x) {
  auto text = to_json(x) + '\n';
  for (std::string_view rest = text; !rest.empty();) {
    auto n = write(answer_fd, rest.data(), rest.size());
    if (n <= 0)
      return 1;
    rest.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

json::object error_of(const std::string& what) {
  return {{"error", what}};
}

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
  auto last_words = [](const error& x) { answer(error_of(x.what)); };
  for (auto i = args.begin(); i != dashes; ++i)
    if (auto loaded = load_library(tasks, *i, last_words); !loaded)
      return answer(error_of(loaded.error().what));
  if (dashes == args.end())
    return answer(entries_of(tasks));
  return answer(arguments_of(tasks, {dashes + 1, args.end()}));
}

} // namespace umbel
