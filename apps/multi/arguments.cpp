#include "apps/multi/arguments.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>

namespace umbel::multi {

namespace {

expected<void> add(arguments& to, const std::string& dashes,
                   const std::string& name, std::string value) {
  auto colon = name.find(':');
  if (colon == name.npos) {
    to.options.set(dashes + name, std::move(value));
    return {};
  }
  auto nodes = name.substr(colon + 1);
  if (nodes.empty() || nodes.find(':') != nodes.npos)
    return invalid("option " + dashes + name
                   + " is not OPTION:NODES, such as -c:1-3 or -Q:w1");
  to.options_for(nodes).set(dashes + name.substr(0, colon), std::move(value));
  return {};
}

} // namespace

error invalid(std::string what) {
  return {errc::invalid_setting, std::move(what)};
}

void option_list::set(const std::string& name, std::string value) {
  auto i = std::ranges::find(items_, name, &value_type::first);
  if (i != items_.end())
    i->second = std::move(value);
  else
    items_.emplace_back(name, std::move(value));
}

void option_list::set_all(const option_list& xs) {
  for (auto& [name, value] : xs)
    set(name, value);
}

const std::string* option_list::find(const std::string& name) const {
  auto i = std::ranges::find(items_, name, &value_type::first);
  return i != items_.end() ? &i->second : nullptr;
}

std::optional<std::string> option_list::take(const std::string& name) {
  auto i = std::ranges::find(items_, name, &value_type::first);
  if (i == items_.end())
    return std::nullopt;
  auto result = std::move(i->second);
  items_.erase(i);
  return result;
}

option_list& arguments::options_for(const std::string& nodes) {
  if (!for_nodes.contains(nodes))
    node_sets.push_back(nodes);
  return for_nodes[nodes];
}

expected<arguments> parse(const std::vector<std::string>& args) {
  arguments result;
  for (size_t i = 0; i < args.size(); ++i) {
    auto& arg = args[i];
    if (arg.empty())
      continue;
    if (arg == "--") {
      result.passed_on.assign(args.begin() + static_cast<ptrdiff_t>(i),
                              args.end());
      break;
    }
    expected<void> done;
    if (arg[0] != '-') {
      result.names.push_back(arg);
    } else if (arg.starts_with("--")) {
      auto equals = arg.find('=');
      done = add(result, "--", arg.substr(2, equals - 2),
                 equals == arg.npos ? "" : arg.substr(equals + 1));
    } else if (arg.size() == 1) {
      done = invalid("'-' is not an option");
    } else {
      // As in Celery, what follows a short option is its value, unless it is
      // an option itself: flags stand at the end or before another option.
      std::string value;
      if (i + 1 < args.size() && !args[i + 1].starts_with('-'))
        value = args[++i];
      done = add(result, "-", arg.substr(1), std::move(value));
    }
    if (!done)
      return done.error();
  }
  return result;
}

std::optional<int> signal_number(const std::string& option) {
  if (option.size() < 2 || option[0] != '-')
    return std::nullopt;
  auto name = option.substr(1);
  if (name.size() == 1 && name[0] >= '0' && name[0] <= '9')
    return name[0] - '0';
  if (name.starts_with("SIG"))
    name.erase(0, 3);
  for (int number = 1; number < NSIG; ++number)
    if (auto known = sigabbrev_np(number); known != nullptr && name == known)
      return number;
  return std::nullopt;
}

std::optional<int> signal_in(const std::vector<std::string>& args,
                             size_t names) {
  for (auto i = args.size(); i > std::min(names, args.size()); --i)
    if (auto number = signal_number(args[i - 1]))
      return number;
  return std::nullopt;
}

std::string signal_name(int number) {
  auto known = sigabbrev_np(number);
  return known != nullptr ? known : std::to_string(number);
}

} // namespace umbel::multi
