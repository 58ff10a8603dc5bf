#include "protocol/task/follow_ups.hpp"

#include "protocol/canvas/applier.hpp"
#include "protocol/task/chord_parts.hpp"
#include "protocol/task/remote_exception.hpp"

namespace umbel {

namespace {


/// A list of signatures, of which one alone may stand without a list.
std::vector<json::value> signatures(const json::object& in,
                                    std::string_view key) {
  std::vector<json::value> to;
  auto* x = in.if_contains(key);
  if (!x || x->is_null())
    return to;
  if (auto* list = x->if_array())
    to.assign(list->begin(), list->end());
  else
    to.push_back(*x);
  return to;
}

canvas::signature parse(const json::value& x) {
  auto to = canvas::parse_signature(x);
  if (!to)
    throw exception("ValueError", {json::string{to.error().what}});
  return std::move(*to);
}

/// Several at once are a group, which is how Celery sends them; groups among
/// them stay groups of their own.
void apply_all(canvas::applier& out, const std::vector<json::value>& all,
               const json::value& first) {
  std::vector<canvas::signature> plain;
  for (auto& x : all) {
    auto sig = parse(x);
    if (sig.kind == canvas::kind::group)
      out.apply(std::move(sig), {first});
    else
      plain.push_back(std::move(sig));
  }
  if (!plain.empty())
    out.apply(canvas::make_group(plain), {first});
}

/// What an errback is told that takes it all: Celery's `(request, exc,
/// traceback)`, as JSON has them.
json::array failure_of(const task_message& done, const exception_info& why) {
  auto& header = done.header;
  auto text_or_null = [](const std::string& x) {
    return x.empty() ? json::value{} : json::value(x);
  };
  json::object request{{"id", header.id.str()},
                       {"task", header.task},
                       {"args", done.args},
                       {"kwargs", done.kwargs},
                       {"retries", header.retries},
                       {"root_id", text_or_null(header.root_id)},
                       {"parent_id", text_or_null(header.parent_id)},
                       {"group", text_or_null(header.group)},
                       {"headers", done.headers}};
  return {std::move(request), to_json_object(why), text_or_null(why.traceback)};
}

errback_rules rules_of(const runner_settings& settings) {
  return {[&](const std::string& task) {
            return settings.failure_takers.contains(task);
          },
          {}};
}

void add_errbacks(follow_ups& to, const task_message& done,
                  const exception_info& why, const runner_settings& settings,
                  const errback_rules& rules) {
  auto errbacks = signatures(done.embed, "errbacks");
  if (errbacks.empty())
    return;
  canvas::application made;
  auto from = origin_of(done, settings);
  canvas::applier out{made, from};
  std::vector<json::value> others;
  for (auto& x : errbacks) {
    auto errback = canvas::parse_signature(x);
    if (!errback)
      continue;
    if (errback->kind != canvas::kind::task
        || !rules.takes_failure(errback->task)) {
      others.push_back(std::move(x));
      continue;
    }
    auto failure = failure_of(done, why);
    if (!rules.call || !rules.call(*errback, failure))
      out.apply(std::move(*errback), failure);
  }
  if (!others.empty())
    apply_all(out, others, json::value(done.header.id.str()));
  if (made.failure)
    to.problems.push_back("an errback cannot be sent: " + made.failure->what);
  to.publish = std::move(made.publish);
  to.workflow.groups = std::move(made.groups);
}

} // namespace

follow_ups after_success(const task_message& done, const json::value& result,
                         const runner_settings& settings,
                         canvas::application made) {
  follow_ups to;
  auto from = origin_of(done, settings);
  canvas::applier out{made, from};
  auto callbacks = signatures(done.embed, "callbacks");
  if (callbacks.size() == 1)
    out.apply(parse(callbacks[0]), {result});
  else
    apply_all(out, callbacks, result);
  // The remaining steps stand in reverse order.
  if (auto steps = signatures(done.embed, "chain"); !steps.empty()) {
    json::array rest(steps.begin(), steps.end() - 1);
    out.apply(parse(steps.back()), {result}, &rest);
  }
  refuse_impossible(made);
  if (made.failure)
    throw queue_not_found(*made.failure);
  to.publish = std::move(made.publish);
  to.workflow.groups = std::move(made.groups);
  to.children = std::move(made.children);
  if (auto part = part_of(done, "SUCCESS", result, settings, to.problems))
    to.workflow.parts.push_back(std::move(*part));
  return to;
}

follow_ups after_failure(const task_message& done, const exception_info& why,
                         const runner_settings& settings,
                         const errback_rules& rules) {
  follow_ups to;
  add_errbacks(to, done, why, settings, rules);
  json::value result = to_json_object(why);
  if (auto part = part_of(done, "FAILURE", result, settings, to.problems))
    to.workflow.parts.push_back(std::move(*part));
  for (auto& x : signatures(done.embed, "chain"))
    if (auto step = canvas::parse_signature(x))
      give_up(to.workflow, *step, done, why, settings, to.problems);
  return to;
}

follow_ups after_failure(const task_message& done, const exception_info& why,
                         const runner_settings& settings) {
  return after_failure(done, why, settings, rules_of(settings));
}

follow_ups after_failed_header(const task_message& polled,
                               const canvas::signature& body,
                               const exception_info& why,
                               const runner_settings& settings) {
  follow_ups to;
  give_up(to.workflow, body, polled, why, settings, to.problems);
  task_message failed;
  failed.header.id = task_id{body.option("task_id")};
  failed.header.task = body.task;
  failed.header.root_id = polled.header.root_id;
  failed.form = polled.form;
  failed.args = body.args;
  failed.kwargs = body.kwargs;
  auto errbacks = body.option_list("link_error");
  failed.embed["errbacks"] = json::array(errbacks.begin(), errbacks.end());
  add_errbacks(to, failed, why, settings, rules_of(settings));
  return to;
}

follow_ups after_revocation(const task_message& done, const exception_info& why,
                            const runner_settings& settings) {
  follow_ups to;
  if (auto part =
          part_of(done, "REVOKED", json::value(to_json_object(why)), settings,
                  to.problems))
    to.workflow.parts.push_back(std::move(*part));
  return to;
}

} // namespace umbel
