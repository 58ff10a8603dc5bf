#include "protocol/task/next_run.hpp"

#include "protocol/task/describe_exception.hpp"
#include "protocol/task/task_meta.hpp"

#include <fmt/format.h>

namespace umbel {

namespace {

/// "Retry in 180s: ValueError('text')", as Celery's log has it.
std::string humanize(const umbel::retry& how, const exception_info* cause) {
  std::string to;
  if (how.eta)
    to = "Retry at " + format_time(*how.eta);
  else
    to = fmt::format("Retry in {:g}s", how.countdown.count() / 1000.0);
  return cause ? to + ": " + cause->repr() : to;
}

/// @returns the message of the run that is to come
std::string message_of(const task_message& done, const retry& how) {
  auto eta = how.eta;
  if (!eta && how.countdown.count() > 0)
    eta = now() + how.countdown;
  if (!how.args && !how.kwargs)
    return make_retry_message(done, eta);
  auto changed = done;
  if (how.args)
    changed.args = *how.args;
  if (how.kwargs)
    changed.kwargs = *how.kwargs;
  changed.headers.erase("argsrepr"); // written anew when missing
  changed.headers.erase("kwargsrepr");
  return make_retry_message(changed, eta);
}

} // namespace

next_run retry_of(const task_message& done, const retry& how,
                  const std::string& name) {
  next_run to;
  to.end.kind = outcome_kind::retry;
  to.caused = how.cause != nullptr;
  if (to.caused)
    to.why = describe_exception(how.cause, name);
  to.end.summary = humanize(how, to.caused ? &to.why : nullptr);
  to.end.traceback = to.caused ? to.why.traceback
                               : fmt::format("  In task {}\n{}", name,
                                             to.end.summary);
  if (!to.caused)
    to.why = {"Retry", {json::string{to.end.summary}}, "celery.exceptions", ""};
  // Back to the queue that it came from. Only the parent knows that: what a message
  // says of its way may be one that leads to all workers.
  to.end.publish.push_back(
      {queue_name{}, done.header.priority, message_of(done, how)});
  return to;
}

std::string document_of_retry(const task_message& done, const next_run& x,
                              const runner_settings& settings) {
  auto document = make_meta(done, settings, "RETRY");
  if (x.caused)
    document.result = to_json_object(x.why);
  document.traceback = x.end.traceback;
  // Its own id: the retry is a child of the run. A result tuple is
  // [[id, parent], children].
  document.children = json::array{
      json::array{json::array{done.header.id.str(), nullptr}, nullptr}};
  return to_document(document, settings.result_serializer);
}

} // namespace umbel
