#include "protocol/task/follow_ups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

namespace umbel {

namespace {

/// Member `key`, or null if there is none or it is JSON's null.
const json::value* find(const json::object& in, std::string_view key) {
  auto* x = in.if_contains(key);
  return x && !x->is_null() ? x : nullptr;
}

std::string text(const json::object& in, std::string_view key) {
  auto* x = find(in, key);
  return x && x->is_string() ? x->get_string().c_str() : "";
}

/// A list of signatures, of which one alone may stand without a list.
std::vector<const json::value*> signatures(const json::object& in,
                                           std::string_view key) {
  std::vector<const json::value*> to;
  if (auto* x = find(in, key)) {
    if (auto* list = x->if_array())
      for (auto& y : *list)
        to.push_back(&y);
    else
      to.push_back(x);
  }
  return to;
}

/// A signature of one task; groups, chains, chords are made of several.
bool is_plain(const json::value& x) {
  auto* signature = x.if_object();
  if (!signature || text(*signature, "task").empty())
    return false;
  auto kind = text(*signature, "subtask_type");
  return kind != "chain" && kind != "group" && kind != "chord";
}

/// Turns signatures into messages on behalf of one task that has ended.
class publisher {
public:
  publisher(std::vector<outgoing_message>& to, const task_message& done,
            const runner_settings& settings)
      : to_(to), done_(done), settings_(settings) {
  }

  /// @param first the partial argument, left out of immutable signatures
  /// @param chain what remains after this step, or null
  void publish(const json::object& signature, const json::value& first,
               const json::array* chain, const json::object& group = {}) {
    static const json::object none;
    auto* given = find(signature, "options");
    auto& options = given && given->is_object() ? given->get_object() : none;
    task_call call;
    call.task = text(signature, "task");
    call.id = text(options, "task_id");
    auto* immutable = find(signature, "immutable");
    if (!immutable || !immutable->is_bool() || !immutable->get_bool())
      call.args.push_back(first);
    if (auto* args = find(signature, "args"); args && args->is_array())
      call.args.insert(call.args.end(), args->get_array().begin(),
                       args->get_array().end());
    if (auto* kwargs = find(signature, "kwargs"); kwargs && kwargs->is_object())
      call.kwargs = kwargs->get_object();
    call.embed = {{"callbacks", list_or_null(options, "link")},
                  {"errbacks", list_or_null(options, "link_error")},
                  {"chain", nullptr},
                  {"chord", nullptr}};
    if (chain)
      call.embed["chain"] = *chain;
    if (auto* chord = find(options, "chord"))
      call.embed["chord"] = *chord;
    set_times(call, options);
    for (auto key : {"queue", "routing_key"})
      if (auto queue = text(options, key); !queue.empty()) {
        call.queue = queue;
        break;
      }
    if (auto* x = find(options, "priority"); x && x->is_int64())
      call.priority =
          static_cast<int>(std::clamp<int64_t>(x->get_int64(), 0, 9));
    auto& header = done_.header;
    call.parent_id = header.id.str();
    call.root_id = header.root_id.empty() ? header.id.str() : header.root_id;
    call.reply_to = text(options, "reply_to");
    call.origin = settings_.node;
    call.headers = headers(options);
    call.form = form(options);
    for (auto& [key, value] : group)
      call.headers[key] = value;
    auto queue = queue_name{call.queue};
    to_.push_back({std::move(queue), call.priority, make_task_message(call)});
  }

  /// As members of a fresh group, which is how Celery sends several.
  void publish_group(const std::vector<const json::value*>& all,
                     const json::value& first) {
    auto group = make_uuid();
    int64_t index = 0;
    for (auto* x : all)
      if (is_plain(*x))
        publish(x->get_object(), first, nullptr,
                {{"group", group}, {"group_index", index++}});
  }

private:
  static json::value list_or_null(const json::object& options,
                                  std::string_view key) {
    auto list = signatures(options, key);
    if (list.empty())
      return nullptr;
    json::array to;
    for (auto* x : list)
      to.push_back(*x);
    return to;
  }

  void set_times(task_call& call, const json::object& options) {
    auto moment = [&](const char* key) -> std::optional<timestamp> {
      auto* x = find(options, key);
      if (x && x->is_number())
        return after(x->to_number<double>());
      auto parsed = parse_time(text(options, key));
      return parsed ? std::optional{*parsed} : std::nullopt;
    };
    call.queue = settings_.task_default_queue;
    call.eta = moment("eta");
    if (auto countdown = moment("countdown"))
      call.eta = countdown;
    call.expires = moment("expires");
  }

  /// As the signature says; else as the message that ended, so that its sender
  /// can read it.
  body_form form(const json::object& options) const {
    auto to = done_.form;
    if (to.compression == compression::none)
      to.compression = settings_.task_form.compression;
    if (auto given = parse_serializer(text(options, "serializer")))
      to.serializer = *given;
    if (auto* name = find(options, "compression"); name && name->is_string())
      if (auto given = parse_compression(name->get_string()))
        to.compression = *given;
    return to;
  }

  static timestamp after(double seconds) {
    constexpr double longest = 1e9; // about 30 years
    auto bounded = std::clamp(seconds, 0.0, longest);
    return now() + std::chrono::microseconds{int64_t(bounded * 1e6)};
  }

  static json::object headers(const json::object& options) {
    json::object to;
    auto limit = [&](const char* key) {
      auto* x = find(options, key);
      return x ? *x : json::value(nullptr);
    };
    to["timelimit"] =
        json::array{limit("time_limit"), limit("soft_time_limit")};
    const std::pair<const char*, const char*> names[] = {
        {"group_id", "group"},
        {"group_index", "group_index"},
        {"shadow", "shadow"},
        {"ignore_result", "ignore_result"}};
    for (auto& [from, header] : names)
      if (auto* x = find(options, from))
        to[header] = *x;
    if (auto* more = find(options, "headers"); more && more->is_object())
      for (auto& [key, value] : more->get_object())
        to[key] = value;
    return to;
  }

  std::vector<outgoing_message>& to_;
  const task_message& done_;
  const runner_settings& settings_;
};

} // namespace

void add_success_follow_ups(std::vector<outgoing_message>& to,
                            const task_message& done, const json::value& result,
                            const runner_settings& settings) {
  publisher out{to, done, settings};
  auto callbacks = signatures(done.embed, "callbacks");
  if (callbacks.size() > 1)
    out.publish_group(callbacks, result);
  else if (callbacks.size() == 1 && is_plain(*callbacks[0]))
    out.publish(callbacks[0]->get_object(), result, nullptr);
  // The remaining steps stand in reverse order.
  auto* chain = find(done.embed, "chain");
  if (!chain || !chain->is_array() || chain->get_array().empty())
    return;
  auto& steps = chain->get_array();
  if (!is_plain(steps.back()))
    return;
  json::array rest(steps.begin(), steps.end() - 1);
  out.publish(steps.back().get_object(), result, &rest);
}

void add_failure_follow_ups(std::vector<outgoing_message>& to,
                            const task_message& done,
                            const runner_settings& settings) {
  auto errbacks = signatures(done.embed, "errbacks");
  if (!errbacks.empty())
    publisher{to, done, settings}.publish_group(
        errbacks, json::value_from(done.header.id.str()));
}

std::string unsupported_follow_ups(const task_message& done) {
  if (find(done.embed, "chord"))
    return "it is part of a chord, which is not supported yet: the chord's "
           "body will not run";
  auto all = signatures(done.embed, "callbacks");
  if (auto steps = signatures(done.embed, "chain"); !steps.empty())
    all.push_back(steps.back());
  for (auto* x : all)
    if (!is_plain(*x))
      return fmt::format("its follow-up {} is not supported yet and will not "
                         "run",
                         python_repr(*x, 120));
  return "";
}

} // namespace umbel
