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
  // Maps are plain tasks, as Python writes them: its own class for them loses
  // their options.
  if (x.kind == kind::chain || x.kind == kind::group || x.kind == kind::chord)
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

std::string header_id(const signature& chord) {
  auto* group = chord.kwargs.at("header").if_object();
  auto* options = group ? find(*group, "options") : nullptr;
  auto* id = options && options->is_object()
                 ? find(options->get_object(), "task_id")
                 : nullptr;
  return id && id->is_string() ? std::string{id->get_string()} : std::string{};
}

void set_tasks(signature& x, const std::vector<signature>& sigs) {
  json::array all;
  for (auto& sig : sigs)
    all.push_back(to_json_value(sig));
  if (x.kind != kind::chord)
    x.kwargs["tasks"] = std::move(all);
  else if (auto* group = x.kwargs["header"].if_object())
    (*group)["kwargs"] = json::object{{"tasks", std::move(all)}};
  else
    x.kwargs["header"] = std::move(all);
}

void for_each_task(signature& x, const std::function<void(signature&)>& f) {
  auto changed = [&](const json::value& from) {
    auto to = parse_shallow(from);
    if (!to)
      return from; // it is refused when it is applied
    for_each_task(*to, f);
    return to_json_value(*to);
  };
  for (auto list : {"link", "link_error"})
    if (auto all = x.option_list(list); !all.empty()) {
      json::array to;
      for (auto& one : all)
        to.push_back(changed(one));
      x.options[list] = std::move(to);
    }
  if (x.kind != kind::chain && x.kind != kind::group && x.kind != kind::chord)
    return f(x);
  auto tasks = x.tasks();
  for (auto& task : tasks)
    for_each_task(task, f);
  set_tasks(x, tasks);
  if (x.kind == kind::chord)
    x.kwargs["body"] = changed(x.kwargs["body"]);
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
  // A group of which nothing is said is the list of its tasks.
  to.kwargs = {{"kwargs", json::object{}},
               {"header", header.kind == kind::group && header.options.empty()
                              ? header.kwargs.at("tasks")
                              : to_json_value(header)},
               {"body", to_json_value(body)}};
  return to;
}

signature make_xstarmap(const json::value& task, json::array it) {
  signature to{.task = "celery.starmap", .kind = kind::xstarmap};
  to.kwargs = {{"task", task}, {"it", std::move(it)}};
  to.immutable = true;
  return to;
}

signature make_xmap(const signature& task, json::array it) {
  signature to{.task = "celery.map", .kind = kind::xmap};
  to.kwargs = {{"task", to_json_value(task)}, {"it", std::move(it)}};
  to.immutable = true;
  return to;
}

signature make_chunks(const signature& task, json::array it, size_t n) {
  signature to{.task = "celery.chunks", .kind = kind::chunks};
  to.kwargs = {{"task", to_json_value(task)}, {"it", std::move(it)},
               {"n", static_cast<int64_t>(n)}};
  to.immutable = true;
  return to;
}

signature operator|(const signature& x, const signature& y) {
  auto several = y.kind == kind::group || y.kind == kind::chain;
  if (x.kind == kind::group)
    return make_chord(x, y);
  if (x.kind == kind::chord && !several) {
    auto to = x;
    to.kwargs["body"] = to_json_value(x.body() | y);
    return to;
  }
  auto steps = x.kind == kind::chain ? x.tasks() : std::vector<signature>{x};
  if (y.kind == kind::chain) {
    auto more = y.tasks();
    steps.insert(steps.end(), more.begin(), more.end());
  } else if (x.kind == kind::chain && !steps.empty() && !several
             && (steps.back().kind == kind::group
                 || steps.back().kind == kind::chord)) {
    steps.back() = steps.back() | y;
  } else {
    steps.push_back(y);
  }
  auto to = make_chain(steps);
  if (x.kind == kind::chain)
    to.options = x.options;
  return to;
}

} // namespace umbel::canvas
