#include "protocol/canvas/applier.hpp"

#include "protocol/canvas/stamping.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace umbel::canvas {

namespace {

timestamp after(double seconds) {
  constexpr double longest = 1e9; // about 30 years
  auto bounded = std::clamp(seconds, 0.0, longest);
  return now() + std::chrono::microseconds{int64_t(bounded * 1e6)};
}

/// A time, or seconds from now.
std::optional<timestamp> moment(const signature& x, const char* key) {
  auto* value = x.find_option(key);
  if (value && value->is_number())
    return after(value->to_number<double>());
  auto parsed = parse_time(x.option(key));
  return parsed ? std::optional{*parsed} : std::nullopt;
}

json::value list_or_null(const signature& x, std::string_view key) {
  auto list = x.option_list(key);
  if (list.empty())
    return nullptr;
  return json::array(list.begin(), list.end());
}

json::object headers_of(const signature& x) {
  json::object to;
  auto limit = [&](const char* key) {
    auto* value = x.find_option(key);
    return value ? *value : json::value(nullptr);
  };
  to["timelimit"] = json::array{limit("time_limit"), limit("soft_time_limit")};
  const std::pair<const char*, const char*> names[] = {
      {"group_id", "group"},
      {"group_index", "group_index"},
      {"shadow", "shadow"},
      {"ignore_result", "ignore_result"},
      {"replaced_task_nesting", "replaced_task_nesting"},
      {"stamped_headers", "stamped_headers"}};
  for (auto& [from, header] : names)
    if (auto* value = x.find_option(from))
      to[header] = *value;
  if (auto stamps = stamps_of(x); !stamps.empty())
    to["stamps"] = std::move(stamps);
  if (auto* more = x.find_option("headers"); more && more->is_object())
    for (auto& [key, value] : more->get_object())
      to[key] = value;
  return to;
}

json::array concat(const json::array& x, const json::array& y) {
  auto to = x;
  to.insert(to.end(), y.begin(), y.end());
  return to;
}

/// Whether a result is of several tasks, so that the list of a chord's results
/// is nested.
bool is_nested(const json::value& result) {
  return std::ranges::any_of(result.at(1).as_array(), [](auto& child) {
    return !child.at(1).is_null();
  });
}

/// What whoever counts has to know of a header.
void add_header(application& to, const std::string& id, size_t parts,
                json::array results) {
  to.groups.push_back({id, group_record::kind::size, std::to_string(parts)});
  json::value all = json::array{json::array{json::value(id), nullptr},
                                std::move(results)};
  if (!is_nested(all))
    return;
  std::string text;
  append_json(text, json::object{{"result", all}});
  to.groups.push_back({id, group_record::kind::results, std::move(text)});
}

const umbel::routing& routing_of(const origin& x) {
  static const umbel::routing defaults;
  return x.routing ? *x.routing : defaults;
}

} // namespace

void append(application& to, application from) {
  std::ranges::move(from.publish, std::back_inserter(to.publish));
  std::ranges::move(from.groups, std::back_inserter(to.groups));
  for (auto& x : from.children)
    to.children.push_back(std::move(x));
}

json::value applier::apply(signature x, const json::array& first,
                           const json::array* chain) {
  auto result = freeze(x);
  carry_out(std::move(x), first, chain);
  to_.children.push_back(result);
  return result;
}

/// @pre frozen
void applier::carry_out(signature x, const json::array& first,
                        const json::array* chain) {
  json::array all;
  if (auto* own = x.find_option("chain"); own && own->is_array()) {
    all = chain ? concat(*chain, own->get_array()) : own->get_array();
    chain = &all;
    x.options.erase("chain");
  }
  switch (x.kind) {
    case kind::chain:
      apply_chain(std::move(x), first, chain);
      break;
    case kind::group:
      apply_group(x, first, chain);
      break;
    case kind::chord:
      apply_chord(std::move(x), first, chain);
      break;
    default:
      apply_task(x, first, chain);
  }
}

void applier::apply_task(const signature& x, const json::array& first,
                         const json::array* chain) {
  task_call call;
  call.task = x.task;
  call.id = x.option("task_id");
  call.args = x.immutable ? x.args : concat(first, x.args);
  call.kwargs = x.kwargs;
  call.embed = {{"callbacks", list_or_null(x, "link")},
                {"errbacks", list_or_null(x, "link_error")},
                {"chain", nullptr},
                {"chord", nullptr}};
  if (chain)
    call.embed["chain"] = *chain;
  if (auto* chord = x.find_option("chord"))
    call.embed["chord"] = *chord;
  call.eta = moment(x, "eta");
  if (auto countdown = moment(x, "countdown"))
    call.eta = countdown;
  call.expires = moment(x, "expires");
  if (auto* value = x.find_option("retries"); value && value->is_int64())
    call.retries = value->get_int64();
  call.parent_id =
      from_.parent_id.empty() ? x.option("parent_id") : from_.parent_id;
  call.root_id = from_.root_id.empty() ? x.option("root_id") : from_.root_id;
  call.reply_to = x.option("reply_to");
  if (call.reply_to.empty())
    call.reply_to = from_.reply_to;
  call.origin = from_.node;
  call.headers = headers_of(x);
  call.form = from_.form;
  call.plain = from_.plain;
  if (auto done = routing_of(from_).address(call, x.options, from_.priority);
      !done) {
    to_.failure = done.error();
    return;
  }
  if (from_.complete && !from_.plain)
    from_.complete(call);
  to_.publish.push_back(to_message(call));
}

void applier::apply_chain(signature x, const json::array& first,
                          const json::array* chain) {
  auto steps = x.tasks();
  if (steps.empty())
    return;
  auto rest = chain ? *chain : json::array{};
  for (auto i = steps.rbegin(); i + 1 != steps.rend(); ++i)
    rest.push_back(to_json_value(*i));
  auto args = x.immutable ? x.args : concat(first, x.args);
  carry_out(std::move(steps.front()), args, &rest);
}

void applier::apply_group(const signature& x, const json::array& first,
                          const json::array* chain) {
  auto id = x.option("task_id");
  for (auto& task : x.tasks()) {
    if (task.option("group_id").empty())
      task.options["group_id"] = id;
    carry_out(std::move(task), first, chain);
  }
}

void applier::apply_chord(signature x, const json::array& first,
                          const json::array* chain) {
  auto id = header_id(x);
  auto body = x.body();
  if (chain) {
    // What follows a chord follows its body.
    auto* own = body.find_option("chain");
    body.options["chain"] =
        own && own->is_array() ? concat(*chain, own->get_array()) : *chain;
  }
  auto tasks = x.tasks();
  auto args = x.immutable ? x.args : concat(first, x.args);
  if (tasks.empty()) {
    freeze(body);
    carry_out(std::move(body), {json::array{}}, nullptr);
    return;
  }
  size_t parts = 0;
  json::array results;
  auto chord = to_json_value(body);
  int64_t index = 0;
  for (auto& task : tasks) {
    parts += count_parts(task);
    results.push_back(freeze(task, {id, chord, index++}));
  }
  switch (from_.chords) {
    case chord_counting::counted:
      add_header(to_, id, parts, std::move(results));
      break;
    case chord_counting::polled:
      apply_unlock(id, body, std::move(results));
      break;
    case chord_counting::impossible:
      to_.impossible = true;
  }
  for (auto& task : tasks)
    carry_out(std::move(task), args, nullptr);
}

/// As Celery sends it (fallback_chord_unlock): where the body goes, and as urgent.
void applier::apply_unlock(const std::string& group, const signature& body,
                           json::value results) {
  signature unlock{.task = "celery.chord_unlock"};
  unlock.args = {json::value(group), to_json_value(body)};
  unlock.kwargs = {{"interval", nullptr},
                   {"max_retries", nullptr},
                   {"result", std::move(results)}};
  unlock.options = {{"countdown", 1}, {"ignore_result", true}};
  task_call at;
  at.task = body.task;
  if (auto done = routing_of(from_).address(at, body.options); !done) {
    to_.failure = done.error();
    return;
  }
  if (!at.queue.empty())
    unlock.options["queue"] = at.queue;
  if (auto* priority = body.find_option("priority"))
    unlock.options["priority"] = *priority;
  freeze(unlock);
  apply_task(unlock, {}, nullptr);
}

} // namespace umbel::canvas
