#include "actors/consumer/acknowledgement.hpp"

#include "protocol/message/waiting_client.hpp"
#include "protocol/task/follow_ups.hpp"

#include <spdlog/spdlog.h>

namespace umbel {

namespace {

settlement settle(const request& r, disposition how) {
  settlement result;
  result.tag = r.tag;
  result.queue = r.queue;
  // An acknowledged message cannot be put back or acknowledged again.
  result.how = r.acked ? disposition::none : how;
  // Whoever published it may have taken the key, however soon it ends.
  if (r.unique && how == disposition::ack)
    result.release = unique_key{r.unique->key, r.unique->id};
  return result;
}

bool stores_errors(const request& r) {
  // Celery's clients always send the header: only `true` says anything.
  auto ignored = r.header.ignore_result.value_or(false)
                 || r.task.ignore_result.value_or(false);
  return !ignored || r.task.store_errors_even_if_ignored.value_or(false);
}

/// What follows from the end of a task that the worker itself has to write.
follow_ups follow_ups_of(const request& r, const std::string& status,
                         const exception_info& why) {
  auto message = parse_task_message(*r.payload, r.settings->content);
  if (!message)
    return {};
  if (status == "REVOKED")
    return after_revocation(*message, why, *r.settings);
  return after_failure(*message, why, *r.settings);
}

/// The settlement with the state that the worker itself writes.
settlement with_state(settlement x, const request& r, const std::string& status,
                      const exception_info& why) {
  auto next = follow_ups_of(r, status, why);
  for (auto& problem : next.problems)
    spdlog::error("Task {}[{}]: {}", r.header.task, r.header.id.str(), problem);
  x.publish = std::move(next.publish);
  x.workflow = std::move(next.workflow);
  if (!stores_errors(r)) {
    x.workflow.results.clear();
    return x;
  }
  meta document;
  document.status = status;
  document.result = to_json_object(why);
  if (!why.traceback.empty())
    document.traceback = why.traceback;
  document.date_done = now();
  document.group_id = r.header.group;
  document.parent_id = r.header.parent_id;
  document.task_id = r.header.id.str();
  x.result = result_record{
      r.header.id, to_document(document, r.settings->result_serializer),
      r.header.reply_to};
  return x;
}

exception_info invalid_task(const std::string& reason) {
  return {"InvalidTaskError", {json::string{reason}}, "celery.exceptions", {}};
}

settlement with_dead_letter(settlement x, const request& r,
                            std::string reason) {
  x.dead = dead_letter{std::move(reason), *r.payload};
  return x;
}

/// This run was not one that ended nowhere: what was noted in the ledger when it
/// began is taken back.
settlement without_note(settlement x, const request& r) {
  if (r.deliveries > 0 && !r.acked)
    x.payload = *r.payload;
  return x;
}

template <class T>
void take_default(std::optional<T>& option, T value) {
  if (!option)
    option = value;
}

} // namespace

task_options resolve(task_options task,
                     const acknowledgement_defaults& defaults) {
  take_default(task.acks_late, defaults.acks_late);
  take_default(task.acks_on_failure_or_timeout,
               defaults.acks_on_failure_or_timeout);
  take_default(task.reject_on_worker_lost, defaults.reject_on_worker_lost);
  take_default(task.ignore_result, defaults.ignore_result);
  take_default(task.store_errors_even_if_ignored,
               defaults.store_errors_even_if_ignored);
  return task;
}

settlement settle_outcome(const request& r, outcome x) {
  auto result = settle(r, disposition::ack);
  result.publish = std::move(x.publish);
  for (auto& message : result.publish)
    if (message.queue.empty() && message.exchange.empty())
      message.queue = r.queue;
  if (!x.document.empty())
    result.result = result_record{r.header.id, std::move(x.document),
                                  r.header.reply_to};
  result.workflow = std::move(x.workflow);
  switch (x.kind) {
    case outcome_kind::retry:
      if (r.unique && !r.unique->until_start)
        result.release.reset();
      return result;
    case outcome_kind::success:
    case outcome_kind::ignore:
    case outcome_kind::revoked:
      return result;
    case outcome_kind::failure:
      if (*r.task.acks_late && !*r.task.acks_on_failure_or_timeout)
        return with_dead_letter(std::move(result), r, x.summary);
      return result;
    case outcome_kind::malformed:
      return with_dead_letter(with_state(std::move(result), r, "FAILURE",
                                         invalid_task(x.summary)),
                              r, x.summary);
    case outcome_kind::reject:
      return with_dead_letter(std::move(result), r, x.summary);
    case outcome_kind::requeue:
      if (!r.acked) {
        result.how = disposition::requeue;
        result.release.reset();
      }
      return without_note(std::move(result), r);
  }
  return result;
}

settlement settle_lost(const request& r, const std::string& how) {
  if (!r.acked && *r.task.acks_late && *r.task.reject_on_worker_lost)
    return settle(r, disposition::requeue);
  return with_state(settle(r, disposition::ack), r, "FAILURE",
                    worker_lost(how));
}

settlement settle_timed_out(const request& r,
                            std::chrono::milliseconds limit) {
  // Where Celery puts it back, it stores the failure as well. A client would
  // take that for the end of a task that runs again.
  if (!r.acked && *r.task.acks_late && !*r.task.acks_on_failure_or_timeout)
    return settle(r, disposition::requeue);
  auto seconds = std::chrono::duration<double>{limit}.count();
  return with_state(settle(r, disposition::ack), r, "FAILURE",
                    time_limit_exceeded(seconds));
}

settlement settle_abandoned(const request& r) {
  if (!r.acked && *r.task.acks_late)
    return without_note(settle(r, disposition::restore), r);
  return with_state(settle(r, disposition::ack), r, "FAILURE",
                    worker_lost("worker shut down"));
}

settlement settle_refused(const request& r, const std::string& status,
                          const exception_info& why) {
  return with_state(settle(r, disposition::ack), r, status, why);
}

settlement settle_revoked(const request& r, const std::string& why) {
  return settle_refused(r, "REVOKED", task_revoked(why));
}

settlement settle_restored(const request& r) {
  auto result = settle(r, disposition::restore);
  // Taken for begun and acknowledged, but its child had not begun it: the
  // ledger no longer has it, so it is published again.
  if (r.acked) {
    // Its key may be another task's by now: what comes again is to run all the same.
    auto marked = r.unique ? mark_redelivered(*r.payload)
                           : expected<std::string>{*r.payload};
    result.publish.push_back(
      {r.queue, r.header.priority, marked ? std::move(*marked) : *r.payload});
  }
  return without_note(std::move(result), r);
}

settlement settle_given_up(const request& r, std::string payload,
                           const std::string& reason) {
  auto why = worker_lost({});
  why.args = {json::string{"Given up: " + reason}};
  auto result = with_state(settle(r, disposition::ack), r, "FAILURE", why);
  result.dead = dead_letter{reason, std::move(payload)};
  return result;
}

settlement settle_delayed(const request& r, timestamp due) {
  auto result = settle(r, disposition::delay);
  result.due = due;
  result.priority = r.header.priority;
  if (r.waited && !r.header.rate_limited)
    if (auto marked = mark_rate_limited(*r.payload))
      result.payload = std::move(*marked);
  return result;
}

settlement settle_malformed(const delivery& x, const std::string& reason,
                            std::shared_ptr<const runner_settings> settings) {
  auto known = read_waiting_client(x.payload, settings->content);
  request r;
  r.tag = x.tag;
  r.queue = x.queue;
  r.payload = std::make_shared<const std::string>(x.payload);
  r.settings = std::move(settings);
  r.header.id = std::move(known.id);
  r.header.reply_to = std::move(known.reply_to);
  r.header.ignore_result = known.ignores_result;
  auto result = settle(r, disposition::ack);
  if (!r.header.id.empty())
    result = with_state(std::move(result), r, "FAILURE", invalid_task(reason));
  return with_dead_letter(std::move(result), r, reason);
}

} // namespace umbel
