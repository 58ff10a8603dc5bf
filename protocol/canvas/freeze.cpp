// Freezing signatures: everything gets its id before anything is published.
#include "protocol/canvas/applier.hpp"
#include "protocol/canvas/stamping.hpp"
#include "protocol/message/envelope.hpp"

#include <algorithm>

namespace umbel::canvas {

namespace {

/// `[[id, parent], children]`
json::value result_tuple(const std::string& id, json::value children = {}) {
  return json::array{json::array{json::value(id), nullptr},
                     std::move(children)};
}

std::string ensure_id(signature& x) {
  auto id = x.option("task_id");
  if (id.empty()) {
    id = make_uuid();
    x.options["task_id"] = id;
  }
  return id;
}

void join(signature& x, const membership& in) {
  if (!in.group.empty() && x.option("group_id").empty())
    x.options["group_id"] = in.group;
  if (!in.chord.is_null())
    x.options["chord"] = in.chord;
  if (in.index)
    x.options["group_index"] = *in.index;
}

template <class List>
void extend(signature& x, const char* list, const List& by) {
  if (by.empty())
    return;
  auto all = x.option_list(list);
  for (auto& one : by)
    if (std::ranges::find(all, one) == all.end())
      all.push_back(one);
  x.options[list] = json::array(all.begin(), all.end());
}

signature expand_chunks(const signature& x) {
  std::vector<signature> tasks;
  auto& it = x.kwargs.at("it").as_array();
  auto n = static_cast<size_t>(x.kwargs.at("n").as_int64());
  for (size_t i = 0; i < it.size(); i += n)
    tasks.push_back(make_xstarmap(
        x.kwargs.at("task"),
        json::array(it.begin() + i, it.begin() + std::min(i + n, it.size()))));
  auto to = make_group(tasks);
  to.options = x.options;
  stamp(to, stamps_of(x));
  return to;
}

/// Groups within a group are a part of it.
void unroll(std::vector<signature>& to, const std::vector<signature>& from) {
  for (auto& x : from) {
    if (x.kind == kind::group)
      unroll(to, x.tasks());
    else if (x.kind == kind::chunks)
      unroll(to, expand_chunks(x).tasks());
    else
      to.push_back(x);
  }
}

/// The steps of a chain, chains within it spliced, groups with a successor made
/// chords.
std::vector<signature> steps_of(const signature& chain) {
  std::vector<signature> flat;
  for (auto& x : chain.tasks()) {
    if (x.kind == kind::chain) {
      auto inner = steps_of(x);
      flat.insert(flat.end(), inner.begin(), inner.end());
    } else if (x.kind == kind::chunks) {
      flat.push_back(expand_chunks(x));
    } else {
      flat.push_back(x);
    }
  }
  std::vector<signature> to; // in reverse
  for (auto i = flat.rbegin(); i != flat.rend(); ++i) {
    if (i->kind != kind::group || to.empty()) {
      to.push_back(std::move(*i));
      continue;
    }
    auto body = std::move(to.back());
    to.back() = make_chord(*i, body);
  }
  std::ranges::reverse(to);
  return to;
}

json::value freeze_tasks(signature& x, std::string group,
                         const json::value& chord) {
  std::vector<signature> tasks;
  unroll(tasks, x.tasks());
  json::array results;
  int64_t index = 0;
  for (auto& task : tasks)
    results.push_back(freeze(task, {group, chord, index++}));
  set_tasks(x, tasks);
  return result_tuple(group, std::move(results));
}

/// What a signature's own options say that it is a part of.
membership own_membership(const signature& x) {
  membership to;
  to.group = x.option("group_id");
  if (auto* chord = x.find_option("chord"))
    to.chord = *chord;
  if (auto* index = x.find_option("group_index"); index && index->is_int64())
    to.index = index->get_int64();
  return to;
}

json::value freeze_chain(signature& x, const membership& given) {
  auto in = given.group.empty() ? own_membership(x) : given;
  auto steps = steps_of(x);
  if (steps.empty())
    return result_tuple(ensure_id(x));
  json::value result;
  for (auto& step : steps) {
    if (x.immutable && &step == &steps.front())
      step.immutable = true;
    auto last = &step == &steps.back();
    if (last && step.option("task_id").empty())
      if (auto id = x.option("task_id"); !id.empty() && step.kind != kind::group
                                         && step.kind != kind::chord)
        step.options["task_id"] = id;
    extend(step, "link_error", x.option_list("link_error"));
    result = freeze(step, last ? in : membership{});
  }
  extend(steps.back(), "link", x.option_list("link"));
  x.options.erase("link");
  x.options.erase("link_error");
  set_tasks(x, steps);
  return result;
}

json::value freeze_chord(signature& x, const membership& in) {
  auto body = x.body();
  // What is said of a chord is said of its body.
  for (auto& [key, value] : x.options)
    if (key != "task_id")
      body.options[key] = value;
  auto id = header_id(x);
  if (id.empty())
    id = make_uuid();
  auto result = freeze(body, in);
  auto frozen = to_json_value(body);
  // As Celery has it: the header is a group, and its id that of the chord.
  auto header = make_group(x.tasks());
  header.options["task_id"] = id;
  x.kwargs["header"] = to_json_value(header);
  x.kwargs["body"] = frozen;
  x.options = {{"task_id", id}};
  // Its tasks get their group when it is applied: Celery's workers choose another.
  freeze_tasks(x, id, frozen);
  auto tasks = x.tasks();
  for (auto& task : tasks)
    for_each_task(task, [&](signature& one) {
      if (one.option("group_id") == id)
        one.options.erase("group_id");
    });
  set_tasks(x, tasks);
  return result;
}

} // namespace

json::value freeze(signature& x, const membership& in) {
  switch (x.kind) {
    case kind::chain:
      return freeze_chain(x, in);
    case kind::chord:
      return freeze_chord(x, in);
    case kind::chunks:
      x = expand_chunks(x);
      [[fallthrough]];
    case kind::group: {
      // A group that is the end of something else's part is those parts.
      auto group = in.group.empty() ? x.option("group_id") : in.group;
      auto own = ensure_id(x);
      auto* given = x.find_option("chord");
      auto chord = in.chord.is_null() && given ? *given : in.chord;
      auto result = freeze_tasks(x, group.empty() ? own : group, chord);
      result.as_array()[0].as_array()[0] = json::value(own);
      return result;
    }
    default:
      join(x, in);
      return result_tuple(ensure_id(x));
  }
}

void succeed(signature& x, const succession& of) {
  extend(x, "link_error", of.link_error);
  x.options["replaced_task_nesting"] = of.nesting;
  if (x.kind == kind::chain) {
    auto steps = steps_of(x);
    if (steps.empty())
      return;
    for (auto& step : steps)
      step.options["replaced_task_nesting"] = of.nesting;
    // A group at its end is one result as well.
    if (steps.back().kind == kind::group)
      steps.push_back({.task = "celery.accumulate", .kwargs = {{"index", 0}}});
    succeed(steps.back(), of);
    set_tasks(x, steps);
    return;
  }
  if (x.kind == kind::chord) {
    auto body = x.body();
    succeed(body, of);
    x.kwargs["body"] = to_json_value(body);
    x.options.erase("link_error");
    return;
  }
  x.options["task_id"] = of.id;
  extend(x, "link", of.link);
  x.options.erase("group_id");
  join(x, of.part_of);
}

size_t count_parts(const signature& x) {
  switch (x.kind) {
    case kind::group:
    case kind::chunks: {
      size_t to = 0;
      auto all = x.kind == kind::group ? x.tasks() : expand_chunks(x).tasks();
      for (auto& task : all)
        to += count_parts(task);
      return to;
    }
    case kind::chain: {
      auto steps = x.tasks();
      for (auto i = steps.rbegin(); i != steps.rend(); ++i)
        if (auto n = count_parts(*i); n > 0)
          return n;
      return 0;
    }
    case kind::chord:
      return count_parts(x.body());
    default:
      return 1;
  }
}

} // namespace umbel::canvas
