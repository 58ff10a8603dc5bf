#include "protocol/task/chord_parts.hpp"

#include "protocol/message/envelope.hpp"
#include "protocol/task/exceptions.hpp"

#include <string>
#include <utility>
#include <vector>

namespace umbel {

namespace {


/// Stands where a gap is to be: a text that occurs nowhere else.
struct mark {
  std::string text = make_uuid();

  static gapped_text cut(std::string_view from, std::string_view what) {
    gapped_text to;
    for (;;) {
      auto at = from.find(what);
      to.emplace_back(from.substr(0, at));
      if (at == from.npos)
        return to;
      from.remove_prefix(at + what.size());
    }
  }

  /// Where it is a part of a string.
  gapped_text cut(std::string_view from) const {
    return cut(from, text);
  }

  /// Where it is all of a string in a plain body.
  gapped_text cut_body(std::string payload) const {
    // It is also shown in a header, as Python's repr.
    auto shown = "'" + text + "'";
    if (auto at = payload.find(shown); at != payload.npos)
      payload.replace(at, shown.size(), "...");
    return cut(payload, "\\\"" + text + "\\\"");
  }
};

/// One of the tasks that a signature consists of and that will not run.
struct casualty {
  canvas::signature task;
  bool first;   ///< would have run first, so its errbacks are called
  bool counted; ///< is a part of the chord that it names
};

/// @pre frozen
void find_casualties(std::vector<casualty>& to, const canvas::signature& x, bool first,
                     bool counted) {
  switch (x.kind) {
    case canvas::kind::chain:
      for (auto& step : x.tasks())
        find_casualties(to, step, std::exchange(first, false), counted);
      break;
    case canvas::kind::group:
      for (auto& task : x.tasks())
        find_casualties(to, task, first, counted);
      break;
    case canvas::kind::chord:
      // The chord that its header's tasks name is this one.
      for (auto& task : x.tasks())
        find_casualties(to, task, false, false);
      find_casualties(to, x.body(), first, counted);
      break;
    default:
      to.push_back({x, first, counted});
      for (auto& step : x.option_list("chain"))
        if (auto next = canvas::parse_signature(step)) {
          canvas::freeze(*next);
          find_casualties(to, *next, false, counted);
        }
  }
}

std::vector<casualty> casualties_of(canvas::signature x) {
  std::vector<casualty> to;
  canvas::freeze(x);
  find_casualties(to, x, true, true);
  return to;
}

std::string document_of(const canvas::signature& x, const exception_info& why,
                        serializer how) {
  meta to;
  to.status = "FAILURE";
  to.result = to_json_object(why);
  if (!why.traceback.empty())
    to.traceback = why.traceback;
  to.date_done = now();
  to.group_id = x.option("group_id");
  to.task_id = x.option("task_id");
  return to_document(to, how);
}

/// `[1, task, state, result]`
std::string member_of(const std::string& id, std::string_view state,
                      const json::value& result) {
  std::string to = "[1, ";
  append_json(to, std::string_view{id});
  to += ", ";
  append_json(to, state);
  to += ", ";
  append_json(to, result);
  return to += ']';
}

std::optional<int64_t> index_in(const json::object& from, const char* key) {
  auto* x = from.if_contains(key);
  return x && x->is_int64() ? std::optional{x->get_int64()} : std::nullopt;
}

std::optional<chord_part> make_part(const json::value& chord, std::string group,
                                    std::optional<int64_t> index,
                                    const task_id& task, gapped_text member,
                                    const canvas::origin& from,
                                    const runner_settings& settings,
                                    std::vector<std::string>& problems);

/// celery.chord_unlock, with a gap for the header's result tuples.
std::vector<gapped_message> unlock_of(const std::string& group,
                                      const canvas::signature& body,
                                      const canvas::origin& plain) {
  mark results;
  canvas::application made;
  canvas::applier{made, plain}.apply_unlock(group, body,
                                            json::value(results.text));
  std::vector<gapped_message> to;
  for (auto& x : made.publish)
    to.push_back({std::move(x.queue), x.priority,
                  results.cut_body(std::move(x.payload)), std::move(x.exchange),
                  std::move(x.routing_key)});
  return to;
}

/// What becomes of a body when a part of its header has failed.
void add_failure(chord_part& to, const canvas::signature& body,
                 const canvas::origin& from, const runner_settings& settings,
                 std::vector<std::string>& problems) {
  mark reason;
  exception_info why{
      "ChordError", {json::value(reason.text)}, "celery.exceptions", {}};
  for (auto& [task, first, counted] : casualties_of(body)) {
    auto id = task.option("task_id");
    to.failures.push_back({task_id{id},
                           reason.cut(document_of(task, why, serializer::json)),
                           task.option("reply_to")});
    if (auto errbacks = task.option_list("link_error");
        first && !errbacks.empty()) {
      auto caller = from;
      caller.parent_id = id;
      caller.plain = false;
      canvas::application made;
      canvas::applier out{made, caller};
      for (auto& x : errbacks)
        if (auto errback = canvas::parse_signature(x))
          out.apply(std::move(*errback), {json::value(id)});
      if (made.failure)
        problems.push_back("an errback of the chord's body " + id
                           + " cannot be sent, should it fail: "
                           + made.failure->what);
      for (auto& x : made.publish)
        to.errbacks.push_back({std::move(x.queue), x.priority,
                               {std::move(x.payload)}, std::move(x.exchange),
                               std::move(x.routing_key)});
    }
    auto* outer = counted ? task.find_option("chord") : nullptr;
    if (!outer)
      continue;
    auto member = reason.cut(member_of(id, "FAILURE", to_json_object(why)));
    if (auto part = make_part(*outer, task.option("group_id"),
                              index_in(task.options, "group_index"),
                              task_id{id}, std::move(member), from, settings,
                              problems))
      to.outer.push_back(std::move(*part));
  }
}

std::optional<chord_part> make_part(const json::value& chord, std::string group,
                                    std::optional<int64_t> index,
                                    const task_id& task, gapped_text member,
                                    const canvas::origin& from,
                                    const runner_settings& settings,
                                    std::vector<std::string>& problems) {
  auto body = canvas::parse_signature(chord);
  if (!body || group.empty() || task.empty()
      || settings.chords != chord_counting::counted)
    return std::nullopt;
  chord_part to;
  to.group = std::move(group);
  to.index = index;
  to.task = task;
  to.member = std::move(member);
  to.format = settings.result_serializer;
  canvas::freeze(*body); // success and failure speak of the same tasks
  mark results;
  auto plain = from;
  plain.plain = true;
  canvas::application made;
  canvas::applier{made, plain}.apply(*body, {json::value(results.text)});
  if (made.failure) {
    // All of it or nothing: of a group that is half sent nobody has the result.
    to.reason = "The chord's body cannot be sent: " + made.failure->what;
    problems.push_back("the chord's body " + body->option("task_id")
                       + " cannot be sent: " + made.failure->what);
  } else {
    for (auto& x : made.publish)
      to.body.push_back({std::move(x.queue), x.priority,
                         results.cut_body(std::move(x.payload)),
                         std::move(x.exchange), std::move(x.routing_key)});
    to.groups = std::move(made.groups);
    if (to.format != serializer::json)
      to.unlock = unlock_of(to.group, *body, plain);
  }
  add_failure(to, *body, from, settings, problems);
  return to;
}

const json::value* chord_of(const task_message& done) {
  auto* x = done.embed.if_contains("chord");
  return x && !x->is_null() && !done.header.group.empty() ? x : nullptr;
}

} // namespace

canvas::origin origin_of(const task_message& done,
                         const runner_settings& settings) {
  canvas::origin to;
  auto& header = done.header;
  to.parent_id = header.id.str();
  to.root_id = header.root_id.empty() ? header.id.str() : header.root_id;
  to.node = settings.node;
  to.reply_to = header.reply_to;
  to.routing = settings.routing.get();
  to.priority = header.priority;
  to.chords = settings.chords;
  to.complete = settings.complete;
  // As the message that ended, so that its sender can read it.
  to.form = done.form;
  if (to.form.compression == compression::none)
    to.form.compression = settings.task_form.compression;
  return to;
}

void refuse_impossible(const canvas::application& x) {
  if (x.impossible)
    throw exception("NotImplementedError", {json::string{no_chords}});
}

std::optional<chord_part> part_of(const task_message& done,
                                  std::string_view state,
                                  const json::value& result,
                                  const runner_settings& settings,
                                  std::vector<std::string>& problems) {
  auto* chord = chord_of(done);
  if (!chord)
    return std::nullopt;
  auto& id = done.header.id;
  return make_part(*chord, done.header.group,
                   index_in(done.headers, "group_index"), id,
                   {member_of(id.str(), state, result)},
                   origin_of(done, settings), settings, problems);
}

void give_up(workflow_steps& to, const canvas::signature& step,
             const task_message& done, const exception_info& why,
             const runner_settings& settings,
             std::vector<std::string>& problems) {
  auto from = origin_of(done, settings);
  for (auto& [task, first, counted] : casualties_of(step)) {
    auto id = task.option("task_id");
    to.results.push_back({task_id{id},
                          document_of(task, why, settings.result_serializer),
                          task.option("reply_to")});
    auto* chord = counted ? task.find_option("chord") : nullptr;
    if (!chord)
      continue;
    auto member = member_of(id, "FAILURE", to_json_object(why));
    if (auto part = make_part(*chord, task.option("group_id"),
                              index_in(task.options, "group_index"),
                              task_id{id}, {std::move(member)}, from, settings,
                              problems))
      to.parts.push_back(std::move(*part));
  }
}

std::string uncounted_chord(const task_message& done,
                            const runner_settings& settings) {
  if (!chord_of(done) || settings.chords != chord_counting::impossible)
    return "";
  return "it is a part of a chord, and results are kept nowhere: the chord's body "
         "will not run";
}

} // namespace umbel
