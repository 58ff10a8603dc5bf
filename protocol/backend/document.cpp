#include "protocol/backend/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace umbel {

std::string exception_info::repr() const {
  // Python shows the class's own name, without those of enclosing classes, and
  // a single argument without the comma of a tuple.
  auto out = type.substr(type.rfind('.') + 1);
  if (args.size() == 1)
    return fmt::format("{}({})", out, python_repr(args[0]));
  return out + python_repr_tuple(args);
}

namespace {

std::string to_json_document(const meta& x) {
  std::string out = R"({"status": )";
  append_json(out, std::string_view{x.status});
  auto member = [&](std::string_view key, const auto& value) {
    out += ", ";
    append_json(out, key);
    out += ": ";
    append_json(out, value);
  };
  auto text = [&](std::string_view key, const std::string& value) {
    member(key, std::string_view{value});
  };
  const json::value null;
  member("result", x.result);
  if (x.traceback)
    text("traceback", *x.traceback);
  else
    member("traceback", null);
  if (x.children)
    member("children", *x.children);
  else
    member("children", null);
  if (x.date_done)
    text("date_done", format_time(*x.date_done));
  else
    member("date_done", null);
  if (!x.group_id.empty())
    text("group_id", x.group_id);
  if (!x.parent_id.empty())
    text("parent_id", x.parent_id);
  if (auto& more = x.extended) {
    text("name", more->name);
    member("args", more->args);
    member("kwargs", more->kwargs);
    text("worker", more->worker);
    member("retries", json::value(more->retries));
    text("queue", more->queue);
    if (!more->stamps.empty())
      member("stamped_headers", more->stamped_headers);
    for (auto& [name, value] : more->stamps)
      member(name, value);
  }
  text("task_id", x.task_id);
  return out += '}';
}

json::value to_value(const meta& x) {
  json::object out{{"status", x.status}, {"result", x.result}};
  out["traceback"] = x.traceback ? json::value(*x.traceback) : json::value{};
  out["children"] = x.children ? json::value(*x.children) : json::value{};
  out["date_done"] =
      x.date_done ? json::value(format_time(*x.date_done)) : json::value{};
  if (!x.group_id.empty())
    out["group_id"] = x.group_id;
  if (!x.parent_id.empty())
    out["parent_id"] = x.parent_id;
  if (auto& more = x.extended) {
    out["name"] = more->name;
    out["args"] = more->args;
    out["kwargs"] = more->kwargs;
    out["worker"] = more->worker;
    out["retries"] = more->retries;
    out["queue"] = more->queue;
    if (!more->stamps.empty())
      out["stamped_headers"] = more->stamped_headers;
    for (auto& [name, value] : more->stamps)
      out.emplace(name, value);
  }
  out["task_id"] = x.task_id;
  return out;
}

} // namespace

std::string to_document(const meta& x, serializer how) {
  if (how == serializer::json)
    return to_json_document(x);
  return serialize(how, to_value(x));
}

expected<json::object> parse_document(serializer how,
                                      std::string_view document) {
  // Results have no bound of their own; what aliases may add is bounded.
  auto max = std::max(document.size(), content_rules{}.body_max);
  auto x = deserialize(how, document, max);
  if (!x)
    return error{errc::malformed, fmt::format("not a result in {}: {}",
                                              name_of(how), x.error().what)};
  if (!x->is_object())
    return error{errc::malformed, "a result document that is no mapping"};
  return std::move(x->get_object());
}

json::object to_json_object(const exception_info& x) {
  json::object out{{"exc_type", x.type}, {"exc_message", x.args}};
  // Without a module, Python makes up a class of that name.
  out["exc_module"] = x.module.empty() ? json::value{} : json::value(x.module);
  return out;
}

exception_info worker_lost(const std::string& how) {
  return {"WorkerLostError",
          {json::string{fmt::format("Worker exited prematurely: {}.", how)}},
          "billiard.exceptions",
          {}};
}

exception_info not_registered(const std::string& task) {
  return {"NotRegistered", {json::string{task}}, "celery.exceptions", {}};
}

exception_info task_revoked(const std::string& why) {
  return {"TaskRevokedError", {json::string{why}}, "celery.exceptions", {}};
}

exception_info time_limit_exceeded(double seconds) {
  // Whole seconds as Python has them when they are given as an int.
  bool whole = std::floor(seconds) == seconds && std::abs(seconds) < 1e15;
  auto limit =
      whole ? json::value(static_cast<int64_t>(seconds)) : json::value(seconds);
  return {"TimeLimitExceeded", {std::move(limit)}, "billiard.exceptions", {}};
}

} // namespace umbel
