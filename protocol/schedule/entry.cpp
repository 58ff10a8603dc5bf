#include "protocol/schedule/entry.hpp"

#include <fmt/format.h>

#include <utility>

namespace umbel::schedule {

namespace {

using std::chrono::microseconds;

/// Reads one entry; an object, for its errors.
class entry_parser {
public:
  entry_parser(std::string_view name, const time_zone& zone) : zone_(zone) {
    result_.name = name;
  }

  expected<entry> parse(const json::value& x) {
    if (!x.is_object())
      return wrong("", "expected an object with task and schedule");
    auto& members = x.get_object();
    for (auto& [name, value] : members)
      if (auto done = take(name, value); !done)
        return done.error();
    if (result_.call.task.empty())
      return wrong("task", "is missing");
    if (!schedule_)
      return wrong("schedule", "is missing");
    auto when = parse_schedule(*schedule_, relative_, zone_);
    if (!when)
      return wrong("", when.error().what);
    result_.definition = to_json(x);
    result_.when = std::move(*when);
    return std::move(result_);
  }

private:
  error wrong(std::string_view member, std::string_view why) const {
    return {errc::invalid_setting,
            fmt::format("beat_schedule, entry '{}': {}{}{}", result_.name,
                        member, member.empty() ? "" : " ", why)};
  }

  expected<void> take(std::string_view name, const json::value& value) {
    auto& call = result_.call;
    if (name == "task") {
      if (!value.is_string() || value.get_string().empty())
        return wrong(name, "has to be a task's name");
      call.task = value.get_string();
    } else if (name == "schedule") {
      schedule_ = value;
    } else if (name == "args") {
      if (!value.is_array())
        return wrong(name, "has to be a list");
      call.args = value.get_array();
    } else if (name == "kwargs") {
      if (!value.is_object())
        return wrong(name, "has to be an object");
      call.kwargs = value.get_object();
    } else if (name == "relative") {
      if (!value.is_bool())
        return wrong(name, "has to be true or false");
      relative_ = value.get_bool();
    } else if (name == "catch_up") {
      return take_catch_up(value);
    } else if (name == "options") {
      if (!value.is_object())
        return wrong(name, "has to be an object");
      for (auto& [option, x] : value.get_object())
        if (auto done = take_option(option, x); !done)
          return done.error();
    } else {
      return wrong(name, "is not known; there are task, schedule, args, kwargs, "
                         "options, relative, catch_up");
    }
    return {};
  }

  expected<void> take_catch_up(const json::value& value) {
    for (auto [name, policy] :
         {std::pair{"skip", catch_up::skip}, std::pair{"once", catch_up::once},
          std::pair{"all", catch_up::all}})
      if (value.is_string() && value.get_string() == name) {
        result_.catch_up = policy;
        return {};
      }
    return wrong("catch_up", "has to be skip, once or all");
  }

  expected<void> take_text(std::string_view name, const json::value& x) {
    if (!x.is_string() || x.get_string().empty())
      return wrong(name, "has to be a text");
    result_.options[name] = x;
    return {};
  }

  template <class T>
  expected<void> take_word(std::string_view name, const json::value& x,
                           expected<T> (*parse)(std::string_view)) {
    if (auto done = take_text(name, x); !done)
      return done;
    if (auto known = parse(x.get_string()); !known)
      return wrong(name, ": " + known.error().what);
    return {};
  }

  expected<void> take_seconds(std::optional<microseconds>& to,
                              std::string_view name, const json::value& x) {
    auto seconds = x.is_number() ? x.to_number<double>() : -1;
    if (!(seconds >= 0 && seconds < 1e9))
      return wrong(name, "has to be a number of seconds");
    to = std::chrono::round<microseconds>(
      std::chrono::duration<double>{seconds});
    return {};
  }

  expected<void> take_limit(size_t place, std::string_view name,
                            const json::value& x) {
    if (!x.is_number() || x.to_number<double>() < 0)
      return wrong(name, "has to be a number of seconds");
    auto& limits = result_.call.headers["timelimit"];
    if (!limits.is_array())
      limits = json::array{nullptr, nullptr};
    limits.get_array()[place] = x;
    return {};
  }

  expected<void> take_option(std::string_view name, const json::value& x) {
    auto& call = result_.call;
    if (x.is_null())
      return {};
    if (name == "queue" || name == "exchange" || name == "exchange_type"
        || name == "routing_key")
      return take_text(name, x);
    if (name == "serializer")
      return take_word(name, x, parse_serializer);
    if (name == "compression")
      return take_word(name, x, parse_compression);
    if (name == "expires")
      return take_seconds(result_.expires_in, name, x);
    if (name == "countdown")
      return take_seconds(result_.countdown, name, x);
    if (name == "time_limit")
      return take_limit(0, name, x);
    if (name == "soft_time_limit")
      return take_limit(1, name, x);
    if (name == "delivery_mode") {
      if (!parse_delivery_mode(x))
        return wrong(name, "has to be transient (1) or persistent (2)");
      result_.options[name] = x;
      return {};
    }
    if (name == "priority") {
      if (!x.is_int64() || x.get_int64() < 0 || x.get_int64() > 9)
        return wrong(name, "has to be a number from 0 to 9");
      result_.options["priority"] = x;
    } else if (name == "headers") {
      if (!x.is_object())
        return wrong(name, "has to be an object");
      for (auto& [key, value] : x.get_object())
        call.headers[key] = value;
    } else if (name == "shadow" || name == "ignore_result") {
      call.headers[name] = x;
    } else {
      return wrong(fmt::format("option '{}'", name),
                   "is not supported; there are queue, exchange, exchange_type, "
                   "routing_key, priority, serializer, compression, "
                   "delivery_mode, expires, countdown, time_limit, soft_time_limit, headers, shadow, "
                   "ignore_result");
    }
    return {};
  }

  const time_zone& zone_;
  entry result_;
  std::optional<json::value> schedule_;
  bool relative_ = false;
};

} // namespace

expected<std::vector<entry>> parse_entries(const json::object& x,
                                           const time_zone& zone) {
  std::vector<entry> result;
  for (auto& [name, value] : x) {
    auto one = parse_entry(name, value, zone);
    if (!one)
      return one.error();
    result.push_back(std::move(*one));
  }
  return result;
}

expected<entry> parse_entry(std::string_view name, const json::value& x,
                            const time_zone& zone) {
  return entry_parser{name, zone}.parse(x);
}

entry backend_cleanup(const time_zone& zone) {
  json::value x{{"task", "celery.backend_cleanup"},
                {"schedule", {{"crontab", "0 4 * * *"}}},
                {"options", {{"expires", 12 * 3'600}}}};
  return parse_entry("celery.backend_cleanup", x, zone).value();
}

std::string due_id(std::string_view schedule, std::string_view entry,
                   timestamp due) {
  return make_name_uuid(
    fmt::format("umbel:beat/{}/{}@{}", schedule, entry, format_time(due)));
}

std::string request_id(std::string_view schedule, std::string_view entry,
                       int64_t number) {
  return make_name_uuid(
    fmt::format("umbel:beat/{}/{}#{}", schedule, entry, number));
}

expected<outgoing_message> make_message(const entry& x, std::string id,
                                        timestamp now,
                                        const std::string& origin,
                                        const routing& where) {
  auto call = x.call;
  call.id = std::move(id);
  call.origin = origin;
  if (x.expires_in)
    call.expires = now + *x.expires_in;
  if (x.countdown)
    call.eta = now + *x.countdown;
  // Its arguments come from a list, and Celery shows them so.
  call.headers.emplace("argsrepr", python_repr(call.args));
  if (auto done = where.address(call, x.options); !done)
    return done.error();
  return to_message(call);
}

} // namespace umbel::schedule
