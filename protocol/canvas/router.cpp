#include "protocol/canvas/router.hpp"

#include <memory>
#include <regex>
#include <utility>

namespace umbel {

namespace {

error wrong(std::string what) {
  return {errc::invalid_setting, std::move(what)};
}

bool is_glob(std::string_view x) {
  return x.find_first_of("*?[") != x.npos;
}

/// fnmatch's rules as a regular expression.
std::string from_glob(std::string_view glob) {
  std::string to;
  for (size_t i = 0; i < glob.size(); ++i) {
    auto c = glob[i];
    auto end = c == '[' ? glob.find(']', i + 2) : glob.npos;
    if (c == '*') {
      to += ".*";
    } else if (c == '?') {
      to += '.';
    } else if (end != glob.npos) {
      auto set = glob.substr(i + 1, end - i - 1);
      to += '[';
      if (set.front() == '!') {
        to += '^';
        set.remove_prefix(1);
      }
      for (auto x : set) {
        if (x == '\\' || x == '[')
          to += '\\';
        to += x;
      }
      to += ']';
      i = end;
    } else {
      if (std::string_view{R"(\^$.|()[]{}+)"}.find(c) != std::string_view::npos)
        to += '\\';
      to += c;
    }
  }
  return to;
}

expected<route> parse_route(std::string_view pattern, const json::value& from) {
  if (from.is_string())
    return route{std::string{from.get_string()}, {}};
  auto* options = from.if_object();
  if (!options)
    return wrong("the route of '" + std::string{pattern}
                 + "' is neither a queue nor an object");
  route to;
  for (auto key : {"routing_key", "queue"})
    if (auto* x = options->if_contains(key); x && !x->is_null()) {
      if (!x->is_string())
        return wrong("the " + std::string{key} + " of '" + std::string{pattern}
                     + "' is no text");
      to.queue = x->get_string();
    }
  if (auto* x = options->if_contains("priority"); x && !x->is_null()) {
    if (!x->is_int64() || x->get_int64() < 0 || x->get_int64() > 9)
      return wrong("the priority of '" + std::string{pattern}
                   + "' is no number from 0 to 9");
    to.priority = static_cast<int>(x->get_int64());
  }
  return to;
}

} // namespace

void router::add(function f) {
  others_.push_back(std::move(f));
}

void router::add(std::string_view pattern, route to) {
  auto is_regex = pattern.size() > 2 && pattern.front() == '/'
                  && pattern.back() == '/';
  if (!is_regex && !is_glob(pattern)) {
    names_.push_back({std::string{pattern}, std::move(to)});
    return;
  }
  // Shared, as a function is copied with what it holds. A regular expression has
  // to fit the beginning, as with Python's `match`.
  auto form = std::make_shared<const std::regex>(
      is_regex ? std::string{pattern.substr(1, pattern.size() - 2)}
               : from_glob(pattern) + '$');
  add([form, to = std::move(to)](std::string_view task) {
    return std::regex_search(task.begin(), task.end(), *form,
                             std::regex_constants::match_continuous)
               ? std::optional{to}
               : std::nullopt;
  });
}

expected<void> router::add_json(std::string_view name, const json::value& to) {
  auto known = parse_route(name, to);
  if (!known)
    return known.error();
  try {
    add(name, std::move(*known));
  } catch (const std::regex_error& e) {
    return wrong("'" + std::string{name} + "': " + e.what());
  }
  return {};
}

expected<router> router::parse(const json::value& routes) {
  router to;
  if (routes.is_null())
    return to;
  auto add_all = [&](const json::object& all) -> expected<void> {
    for (auto& [name, x] : all)
      if (auto done = to.add_json(name, x); !done)
        return done;
    return {};
  };
  if (auto* all = routes.if_object()) {
    if (auto done = add_all(*all); !done)
      return done.error();
    return to;
  }
  if (!routes.is_array())
    return wrong("neither an object nor a list");
  for (auto& x : routes.get_array()) {
    auto done = expected<void>{wrong("a member of the list is neither an "
                                     "object nor a pair")};
    if (auto* all = x.if_object())
      done = add_all(*all);
    else if (auto* pair = x.if_array();
             pair && pair->size() == 2 && pair->at(0).is_string())
      done = to.add_json(pair->at(0).get_string(), pair->at(1));
    if (!done)
      return done.error();
  }
  return to;
}

std::optional<route> router::find(std::string_view task) const {
  for (auto& x : names_)
    if (x.name == task)
      return x.to;
  for (auto& rule : others_)
    if (auto found = rule(task))
      return found;
  return std::nullopt;
}

} // namespace umbel
