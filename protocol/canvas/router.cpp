#include "protocol/canvas/router.hpp"

#include <algorithm>
#include <regex>

namespace umbel {

namespace {

constexpr auto no_list = "a member of the list is neither an object nor a pair nor a "
                         "list of pairs";

error wrong(std::string what) {
  return {errc::invalid_setting, std::move(what)};
}

// As Celery: what has no star is a name.
bool is_glob(std::string_view x) {
  return x.find('*') != x.npos;
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

/// Reads one route.
class route_parser {
public:
  route_parser(std::string_view pattern, const json::object& from)
      : pattern_(pattern), from_(from) {
  }

  expected<route> parse() {
    for (auto& [key, x] : from_)
      if (auto done = x.is_null() ? expected<void>{} : take(key, x); !done)
        return done.error();
    return std::move(to_);
  }

private:
  error wrong_member(std::string_view key, std::string_view why) const {
    return wrong("the " + std::string{key} + " of '" + pattern_ + "' "
                 + std::string{why});
  }

  expected<void> take(std::string_view key, const json::value& x) {
    const std::pair<std::string_view, std::string*> texts[] = {
        {"queue", &to_.queue},
        {"exchange", &to_.exchange},
        {"exchange_type", &to_.exchange_type},
        {"routing_key", &to_.routing_key}};
    for (auto& [name, member] : texts)
      if (key == name) {
        if (!x.is_string())
          return wrong_member(key, "is no text");
        *member = x.get_string();
        return {};
      }
    if (key == "priority") {
      if (!x.is_int64() || x.get_int64() < 0 || x.get_int64() > 9)
        return wrong_member(key, "is no number from 0 to 9");
      to_.priority = static_cast<int>(x.get_int64());
      return {};
    }
    if (key == "serializer")
      return take_word(to_.serializer, key, x, parse_serializer);
    if (key == "compression")
      return take_word(to_.compression, key, x, parse_compression);
    if (key == "delivery_mode") {
      auto mode = parse_delivery_mode(x);
      if (!mode)
        return wrong_member(key, ": " + mode.error().what);
      to_.delivery_mode = *mode;
      return {};
    }
    if (key == "headers") {
      if (!x.is_object())
        return wrong_member(key, "are no object");
      to_.headers = x.get_object();
      return {};
    }
    return wrong("the route of '" + pattern_ + "' has '" + std::string{key}
                 + "'; there are queue, exchange, exchange_type, routing_key, "
                   "priority, serializer, compression, delivery_mode, headers");
  }

  template <class T>
  expected<void> take_word(std::optional<T>& to, std::string_view key,
                           const json::value& x,
                           expected<T> (*parse)(std::string_view)) {
    if (!x.is_string())
      return wrong_member(key, "is no text");
    auto known = parse(x.get_string());
    if (!known)
      return wrong_member(key, ": " + known.error().what);
    to = *known;
    return {};
  }

  std::string pattern_;
  const json::object& from_;
  route to_;
};

expected<route> parse_route(std::string_view pattern, const json::value& from) {
  if (from.is_string())
    return route{.queue = std::string{from.get_string()}};
  auto* members = from.if_object();
  if (!members)
    return wrong("the route of '" + std::string{pattern}
                 + "' is neither a queue nor an object");
  return route_parser{pattern, *members}.parse();
}

bool is_pair(const json::value& x) {
  auto* list = x.if_array();
  return list && list->size() == 2 && list->at(0).is_string();
}

} // namespace

// -- one table ----------------------------------------------------------------------

struct router::pattern {
  std::regex form;

  /// It has to fit the beginning, as with Python's `match`.
  bool fits(std::string_view task) const {
    return std::regex_search(task.begin(), task.end(), form,
                             std::regex_constants::match_continuous);
  }
};

void router::table::add(std::string_view text, route to) {
  auto is_regex = text.size() > 2 && text.front() == '/' && text.back() == '/';
  if (!is_regex && !is_glob(text)) {
    names.emplace_back(text, std::move(to));
    return;
  }
  auto form = is_regex ? std::string{text.substr(1, text.size() - 2)}
                       : from_glob(text) + '$';
  patterns.emplace_back(std::make_shared<const pattern>(pattern{std::regex{form}}),
                        std::move(to));
}

const route* router::table::find(std::string_view task) const {
  // As in a dict of Python, the last one of a name counts.
  auto name = std::find_if(names.rbegin(), names.rend(),
                           [&](auto& x) { return x.first == task; });
  if (name != names.rend())
    return &name->second;
  auto fits = [&](auto& x) { return x.first->fits(task); };
  auto found = std::ranges::find_if(patterns, fits);
  return found != patterns.end() ? &found->second : nullptr;
}

// -- making -------------------------------------------------------------------------

void router::add(function f) {
  rules_.emplace_back(std::move(f));
}

void router::add(std::string_view text, route to) {
  last_table().add(text, std::move(to));
}

router::table& router::last_table() {
  if (rules_.empty() || !std::holds_alternative<table>(rules_.back()))
    rules_.emplace_back(table{});
  return std::get<table>(rules_.back());
}

expected<void> router::add_json(table& to, std::string_view text,
                                const json::value& x) {
  auto known = parse_route(text, x);
  if (!known)
    return known.error();
  try {
    to.add(text, std::move(*known));
  } catch (const std::regex_error& e) {
    return wrong("'" + std::string{text} + "': " + e.what());
  }
  return {};
}

expected<void> router::add_all(const json::object& all) {
  table to;
  for (auto& [text, x] : all)
    if (auto done = add_json(to, text, x); !done)
      return done;
  rules_.emplace_back(std::move(to));
  return {};
}

expected<void> router::add_pairs(const json::array& all) {
  table to;
  for (auto& x : all) {
    if (!is_pair(x))
      return wrong(no_list);
    auto& pair = x.get_array();
    if (auto done = add_json(to, pair[0].get_string(), pair[1]); !done)
      return done;
  }
  rules_.emplace_back(std::move(to));
  return {};
}

expected<router> router::parse(const json::value& routes) {
  router to;
  if (routes.is_null())
    return to;
  // Celery takes one router without a list, too.
  auto all = routes.is_array() ? routes.get_array() : json::array{routes};
  for (auto& x : all) {
    auto done = expected<void>{wrong(routes.is_array()
                                       ? no_list
                                       : "neither an object nor a list")};
    if (auto* table = x.if_object())
      done = to.add_all(*table);
    else if (is_pair(x))
      done = to.add_json(to.last_table(), x.get_array()[0].get_string(),
                         x.get_array()[1]);
    else if (auto* pairs = x.if_array())
      done = to.add_pairs(*pairs);
    else if (x.is_string())
      done = wrong("'" + std::string{x.get_string()}
                   + "' is a router in Python; only patterns can be read here");
    if (!done)
      return done.error();
  }
  return to;
}

// -- asking -------------------------------------------------------------------------

std::optional<route> router::find(const routed_call& x) const {
  for (auto& rule : rules_) {
    if (auto* f = std::get_if<function>(&rule)) {
      if (auto found = (*f)(x))
        return found;
    } else if (auto* found = std::get<table>(rule).find(x.task)) {
      return *found;
    }
  }
  return std::nullopt;
}

bool router::has_functions() const noexcept {
  return std::ranges::any_of(rules_, [](auto& x) {
    return std::holds_alternative<function>(x);
  });
}

} // namespace umbel
