#include "protocol/task/follow_ups.hpp"

#include "protocol/canvas/applier.hpp"
#include "protocol/task/chord_parts.hpp"
#include "protocol/task/exceptions.hpp"

namespace umbel {

namespace {

using canvas::signature;

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

signature parse(const json::value& x) {
  auto to = canvas::parse_signature(x);
  if (!to)
    throw exception("ValueError", {json::string{to.error().what}});
  return std::move(*to);
}

/// Several at once are a group, which is how Celery sends them; groups among
/// them stay groups of their own.
void apply_all(canvas::applier& out, const std::vector<json::value>& all,
               const json::value& first) {
  std::vector<signature> plain;
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

void add_errbacks(follow_ups& to, const task_message& done,
                  const runner_settings& settings) {
  auto errbacks = signatures(done.embed, "errbacks");
  if (errbacks.empty())
    return;
  canvas::application made;
  auto from = origin_of(done, settings);
  canvas::applier out{made, from};
  std::erase_if(errbacks, [](auto& x) { return !canvas::parse_signature(x); });
  apply_all(out, errbacks, json::value(done.header.id.str()));
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
  to.publish = std::move(made.publish);
  to.workflow.groups = std::move(made.groups);
  to.children = std::move(made.children);
  if (auto part = part_of(done, "SUCCESS", result, settings))
    to.workflow.parts.push_back(std::move(*part));
  return to;
}

follow_ups after_failure(const task_message& done, const exception_info& why,
                         const runner_settings& settings) {
  follow_ups to;
  add_errbacks(to, done, settings);
  json::value result = to_json_object(why);
  if (auto part = part_of(done, "FAILURE", result, settings))
    to.workflow.parts.push_back(std::move(*part));
  for (auto& x : signatures(done.embed, "chain"))
    if (auto step = canvas::parse_signature(x))
      give_up(to.workflow, *step, done, why, settings);
  return to;
}

follow_ups after_revocation(const task_message& done, const exception_info& why,
                            const runner_settings& settings) {
  follow_ups to;
  if (auto part =
          part_of(done, "REVOKED", json::value(to_json_object(why)), settings))
    to.workflow.parts.push_back(std::move(*part));
  return to;
}

} // namespace umbel
