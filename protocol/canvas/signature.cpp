#include "protocol/canvas/signature.hpp"

#include <fmt/format.h>

#include <optional>

namespace umbel::canvas {

namespace {

constexpr std::pair<kind, std::string_view> kinds[] = {
    {kind::chain, "chain"},       {kind::group, "group"},
    {kind::chord, "chord"},       {kind::xmap, "xmap"},
    {kind::xstarmap, "xstarmap"}, {kind::chunks, "chunks"}};

error malformed(std::string why) {
  return {errc::malformed, "signature: " + std::move(why)};
}

/// A member that is there and not null.
const json::value* find(const json::object& in, std::string_view key) {
  auto* x = in.if_contains(key);
  return x && !x->is_null() ? x : nullptr;
}

std::optional<kind> kind_of(std::string_view name) {
  for (auto& [kind, known] : kinds)
    if (name == known)
      return kind;
  return std::nullopt;
}

/// The tasks of a chord's header: a list, or a group.
const json::array* header_of(const json::object& kwargs) {
  auto* header = find(kwargs, "header");
  if (!header)
    return nullptr;
  if (auto* list = header->if_array())
    return list;
  auto* group = header->if_object();
  auto* inner = group ? find(*group, "kwargs") : nullptr;
  auto* tasks = inner && inner->is_object() ? find(inner->get_object(), "tasks")
                                            : nullptr;
  return tasks ? tasks->if_array() : nullptr;
}

const json::array* tasks_of(kind k, const json::object& kwargs) {
  if (k == kind::chord)
    return header_of(kwargs);
  auto* tasks = find(kwargs, "tasks");
  return tasks ? tasks->if_array() : nullptr;
}

/// The signature alone, without what it is made of.
expected<signature> parse_shallow(const json::value& x) {
  auto* from = x.if_object();
  if (!from)
    return malformed("no object");
  signature to;
  auto* task = find(*from, "task");
  if (!task || !task->is_string() || task->get_string().empty())
    return malformed("no task");
  to.task = task->get_string();
  if (auto* args = find(*from, "args")) {
    if (!args->is_array())
      return malformed("args is no list");
    to.args = args->get_array();
  }
  for (auto [key, target] : {std::pair{"kwargs", &to.kwargs},
                             std::pair{"options", &to.options}})
    if (auto* value = find(*from, key)) {
      if (!value->is_object())
        return malformed(std::string{key} + " is no object");
      *target = value->get_object();
    }
  if (auto* type = find(*from, "subtask_type"); type && type->is_string())
    if (auto known = kind_of(type->get_string()))
      to.kind = *known;
  auto* immutable = find(*from, "immutable");
  to.immutable = immutable && immutable->is_bool() && immutable->get_bool();
  return to;
}

expected<void> check_parts(const signature& x, size_t depth);

expected<void> check(const json::value& x, size_t depth) {
  if (depth > depth_max)
    return malformed(fmt::format("nested more than {} times", depth_max));
  auto parsed = parse_shallow(x);
  if (!parsed)
    return parsed.error();
  return check_parts(*parsed, depth);
}

expected<void> check_parts(const signature& x, size_t depth) {
  switch (x.kind) {
    case kind::task:
    case kind::xmap:
    case kind::xstarmap:
      return {};
    case kind::chunks: {
      auto* n = find(x.kwargs, "n");
      auto* it = find(x.kwargs, "it");
      if (!find(x.kwargs, "task") || !it || !it->is_array() || !n
          || !n->is_int64() || n->get_int64() < 1)
        return malformed("chunks need task, it and n");
      return check(x.kwargs.at("task"), depth + 1);
    }
    case kind::chord: {
      auto* body = find(x.kwargs, "body");
      if (!body)
        return malformed("a chord without a body");
      if (auto good = check(*body, depth + 1); !good)
        return good;
      break;
    }
    default:
      break;
  }
  auto* tasks = tasks_of(x.kind, x.kwargs);
  if (!tasks)
    return malformed(x.task + " without tasks");
  for (auto& task : *tasks)
    if (auto good = check(task, depth + 1); !good)
      return good;
  return {};
}

} // namespace

expected<signature> parse_signature(const json::value& x) {
  auto to = parse_shallow(x);
  if (!to)
    return to;
  if (auto good = check_parts(*to, 0); !good)
    return good.error();
  return to;
}

json::value to_json_value(const signature& x) {
  json::value type;
  for (auto& [kind, name] : kinds)
    if (x.kind == kind)
      type = json::string{name};
  return json::object{{"task", json::string{x.task}}, {"args", x.args},
                      {"kwargs", x.kwargs},           {"options", x.options},
                      {"subtask_type", type},         {"immutable", x.immutable}};
}

std::vector<signature> signature::tasks() const {
  std::vector<signature> to;
  if (auto* all = tasks_of(kind, kwargs))
    for (auto& x : *all)
      to.push_back(parse_shallow(x).value());
  return to;
}

signature signature::body() const {
  return parse_shallow(kwargs.at("body")).value();
}

const json::value* signature::find_option(std::string_view key) const {
  return find(options, key);
}

std::string signature::option(std::string_view key) const {
  auto* x = find(options, key);
  return x && x->is_string() ? std::string{x->get_string()} : std::string{};
}

std::vector<json::value> signature::option_list(std::string_view key) const {
  std::vector<json::value> to;
  if (auto* x = find(options, key)) {
    if (auto* list = x->if_array())
      to.assign(list->begin(), list->end());
    else
      to.push_back(*x);
  }
  return to;
}

void set_tasks(signature& x, const std::vector<signature>& sigs) {
  json::array all;
  for (auto& sig : sigs)
    all.push_back(to_json_value(sig));
  x.kwargs[x.kind == kind::chord ? "header" : "tasks"] = std::move(all);
}

signature make_chain(const std::vector<signature>& steps) {
  signature to{.task = "celery.chain", .kind = kind::chain};
  set_tasks(to, steps);
  return to;
}

signature make_group(const std::vector<signature>& tasks) {
  signature to{.task = "celery.group", .kind = kind::group};
  set_tasks(to, tasks);
  return to;
}

signature make_chord(const signature& header, const signature& body) {
  signature to{.task = "celery.chord", .kind = kind::chord};
  to.kwargs = {{"kwargs", json::object{}},
               {"header", to_json_value(header)},
               {"body", to_json_value(body)}};
  return to;
}

signature make_xstarmap(const json::value& task, json::array it) {
  signature to{.task = "celery.starmap", .kind = kind::xstarmap};
  to.kwargs = {{"task", task}, {"it", std::move(it)}};
  to.immutable = true;
  return to;
}

} // namespace umbel::canvas
