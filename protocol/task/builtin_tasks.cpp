#include "protocol/task/builtin_tasks.hpp"

#include "protocol/canvas/signature.hpp"
#include "protocol/task/unlock_chord.hpp"

namespace umbel {

namespace {

canvas::signature parse(const json::value& x) {
  auto to = canvas::parse_signature(x);
  if (!to)
    throw exception("ValueError", {json::string{to.error().what}});
  return std::move(*to);
}

std::vector<canvas::signature> parse_all(const json::array& from) {
  std::vector<canvas::signature> to;
  for (auto& x : from)
    to.push_back(parse(x));
  return to;
}

const task_definition& find(const registry& tasks, const json::value& x) {
  auto name = parse(x).task;
  if (auto* found = tasks.find(name))
    return *found;
  throw exception("NotRegistered", {json::string{name}}, "celery.exceptions");
}

/// Calls it for each of the items, one after another.
/// @param unpack what makes the arguments of an item
awaitable<json::value> call_for_each(context& self, const task_definition& task,
                                     const json::array& it,
                                     json::array (*unpack)(const json::value&)) {
  static const json::object no_kwargs;
  json::array results;
  for (auto& item : it) {
    auto args = unpack(item);
    auto result = task.run(self, args, no_kwargs);
    if (auto* value = std::get_if<json::value>(&result))
      results.push_back(std::move(*value));
    else
      results.push_back(
          co_await std::get<awaitable<json::value>>(std::move(result)));
    self.checkpoint();
  }
  co_return std::move(results);
}

json::array one(const json::value& item) {
  return {item};
}

json::array unpacked(const json::value& item) {
  if (auto* list = item.if_array())
    return *list;
  throw exception("TypeError", {"an item of a starmap is no list"});
}

json::value accumulate(const varargs& args, const kwargs& named) {
  auto* index = named.values.if_contains("index");
  if (!index || index->is_null())
    return args.values;
  auto n = index->is_int64() ? index->get_int64() : -1;
  if (n < 0 || static_cast<size_t>(n) >= args.values.size())
    throw exception("IndexError", {"tuple index out of range"});
  return args.values[static_cast<size_t>(n)];
}

} // namespace

void add_builtin_tasks(registry& to) {
  using namespace literals;
  auto map = [&to](context& self, const json::value& task,
                   const json::array& it) {
    return call_for_each(self, find(to, task), it, one);
  };
  auto starmap = [&to](context& self, const json::value& task,
                       const json::array& it) {
    return call_for_each(self, find(to, task), it, unpacked);
  };
  auto chunks = [](context& self, const json::value& task,
                   const json::array& it, int64_t n) {
    canvas::signature all{.task = "celery.chunks",
                          .kind = canvas::kind::chunks};
    all.kwargs = {{"task", task}, {"it", it}, {"n", n}};
    return self.start(parse(canvas::to_json_value(all)));
  };
  auto group = [](context& self, const json::array& tasks,
                  const json::value& result, const std::string& group_id,
                  const json::array& partial_args) {
    auto all = canvas::make_group(parse_all(tasks));
    all.options["task_id"] = group_id;
    self.start(std::move(all), partial_args);
    return result;
  };
  auto chord = [](context& self, const json::array& header,
                  const json::value& body, const json::array& partial_args) {
    auto all = canvas::make_chord(canvas::make_group(parse_all(header)),
                                  parse(body));
    return self.start(std::move(all), partial_args);
  };
  to.task("celery.map", map, "task", "it");
  to.task("celery.starmap", starmap, "task", "it");
  to.task("celery.chunks", chunks, "task", "it", "n");
  to.task("celery.group", group, "tasks", "result"_a = json::value{},
          "group_id"_a = "", "partial_args"_a = json::array{});
  to.task("celery.chord", chord, "header", "body",
          "partial_args"_a = json::array{});
  to.task("celery.accumulate", accumulate);
  to.task("celery.chord_unlock", unlock_chord, "group_id", "callback",
          "interval"_a = json::value{}, "max_retries"_a = json::value{},
          "result"_a = json::array{})
      .unlimited_retries()
      .ignore_result();
  to.task("celery.backend_cleanup", [] {});
  to.task("celery.ping", [] { return "pong"; });
}

bool is_builtin_task(std::string_view name) {
  return name.starts_with("celery.");
}

} // namespace umbel
