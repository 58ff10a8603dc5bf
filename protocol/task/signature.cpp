#include "protocol/task/signature.hpp"

#include "protocol/task/exceptions.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace umbel {

namespace {

/// 'x' and 'y'; 'x', 'y', and 'z'
std::string enumerate(const std::vector<std::string>& names) {
  std::string to;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0)
      to += names.size() == 2 ? " and " : ", ";
    if (i > 1 && i + 1 == names.size())
      to += "and ";
    to += "'" + names[i] + "'";
  }
  return to;
}

[[noreturn]] void too_many(const signature& to, size_t given) {
  auto most = to.parameters.size();
  size_t least = std::count_if(to.parameters.begin(), to.parameters.end(),
                               [](auto& p) { return p.required; });
  auto takes = least == most ? std::to_string(most)
                             : fmt::format("from {} to {}", least, most);
  throw wrong_call(fmt::format(
      "{}() takes {} positional argument{} but {} {} given", to.function, takes,
      takes == "1" ? "" : "s", given, given == 1 ? "was" : "were"));
}

} // namespace

bound_call match_call(const signature& to, const json::array& args,
                      const json::object& kwargs,
                      std::span<const json::value*> values) {
  auto& parameters = to.parameters;
  bound_call result{values, {}, {}};
  auto by_position = std::min(args.size(), parameters.size());
  for (size_t i = 0; i < parameters.size(); ++i)
    values[i] = i < by_position ? &args[i] : nullptr;
  for (auto& [key, value] : kwargs) {
    auto i = std::find_if(
        parameters.begin(), parameters.end(),
        [k = std::string_view{key}](auto& p) { return p.name == k; });
    if (i == parameters.end()) {
      if (!to.takes_kwargs)
        throw wrong_call(
            fmt::format("{}() got an unexpected keyword argument '{}'",
                        to.function, std::string_view{key}));
      result.kwargs.emplace(key, value);
      continue;
    }
    auto& slot = values[i - parameters.begin()];
    if (slot)
      throw wrong_call(fmt::format("{}() got multiple values for argument '{}'",
                                   to.function, std::string_view{key}));
    slot = &value;
  }
  if (args.size() > parameters.size()) {
    if (!to.takes_varargs)
      too_many(to, args.size());
    result.varargs = {args.data() + parameters.size(),
                      args.size() - parameters.size()};
  }
  std::vector<std::string> missing;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (values[i])
      continue;
    if (parameters[i].required)
      missing.emplace_back(parameters[i].name);
    else
      values[i] = &parameters[i].fallback;
  }
  if (!missing.empty())
    throw wrong_call(fmt::format(
        "{}() missing {} required positional argument{}: {}", to.function,
        missing.size(), missing.size() == 1 ? "" : "s", enumerate(missing)));
  return result;
}

void throw_wrong_argument(const signature& in, const std::string& name,
                          const std::string& path, const std::string& what) {
  throw wrong_call(
      fmt::format("{}() argument '{}{}' {}", in.function, name, path, what));
}

} // namespace umbel
