// The part of the consumer that tells of its tasks (events, contract section 7).
#include "actors/consumer/consumer.hpp"

#include "actors/cluster/messages.hpp"
#include "protocol/client/sent_events.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

namespace umbel {

namespace {

json::value text_or_null(const std::string& x) {
  return x.empty() ? json::value{} : json::value(x);
}

json::value time_or_null(const std::optional<timestamp>& x) {
  return x ? json::value(format_time(*x)) : json::value{};
}

/// The call's arguments as its sender wrote them for people, or as they are.
std::string call_text(const request& r, bool keywords) {
  auto written = read_header_text(*r.payload, keywords ? "kwargsrepr"
                                                       : "argsrepr");
  if (!written.empty())
    return written;
  auto message = parse_task_message(*r.payload);
  if (!message)
    return keywords ? "{}" : "()";
  return keywords ? python_repr(message->kwargs)
                  : python_repr_tuple(message->args);
}

} // namespace

void consumer_state::tell(const char* type, const request& r,
                          json::object fields,
                          std::optional<timestamp> time) const {
  fields["uuid"] = r.header.id.str();
  self->send(options.events, emit_event{type, std::move(fields), time});
}

void consumer_state::tell_received(const request& r) const {
  auto& x = r.header;
  // One that waited for its turn was received before.
  if (!tells() || x.rate_limited || is_revoked(r)
      || (x.expires && *x.expires <= options.now()))
    return;
  tell("task-received", r,
       {{"name", x.shadow.empty() ? x.task : x.shadow},
        {"args", call_text(r, false)},
        {"kwargs", call_text(r, true)},
        {"root_id", text_or_null(x.root_id)},
        {"parent_id", text_or_null(x.parent_id)},
        {"retries", x.retries},
        {"eta", time_or_null(x.eta)},
        {"expires", time_or_null(x.expires)}});
}

void consumer_state::tell_started(request& r,
                                  std::chrono::microseconds ago) const {
  if (!tells() || r.told_start)
    return;
  r.told_start = true;
  tell("task-started", r, {}, options.now() - ago);
}

void consumer_state::tell_outcome(request& r, const outcome& x) const {
  if (!tells())
    return;
  if (x.kind != outcome_kind::malformed && x.kind != outcome_kind::revoked)
    tell_started(r, x.runtime);
  switch (x.kind) {
    case outcome_kind::success:
      tell("task-succeeded", r,
           {{"result", x.summary},
            {"runtime", std::chrono::duration<double>{x.runtime}.count()}});
      break;
    case outcome_kind::failure:
      tell("task-failed", r,
           {{"exception", x.summary}, {"traceback", x.traceback}});
      break;
    case outcome_kind::retry: {
      // "Retry in 1s: " and the exception.
      auto colon = x.summary.find(": ");
      tell("task-retried", r,
           {{"exception", colon == std::string::npos
                            ? x.summary
                            : x.summary.substr(colon + 2)},
            {"traceback", x.traceback}});
      break;
    }
    case outcome_kind::ignore:
      break;
    case outcome_kind::reject:
    case outcome_kind::malformed:
      tell("task-rejected", r, {{"requeue", false}});
      break;
    case outcome_kind::requeue:
      tell("task-rejected", r, {{"requeue", true}});
      break;
    case outcome_kind::revoked:
      tell_revoked(r, true);
      break;
  }
}

void consumer_state::tell_lost(request& r, const settlement& end,
                               const std::string& how) const {
  if (!tells())
    return;
  if (r.terminated)
    return tell_revoked(r, false);
  if (end.how == disposition::requeue)
    return tell("task-rejected", r, {{"requeue", true}});
  if (end.how == disposition::restore)
    return;
  auto why = r.over_limit
               ? time_limit_exceeded(
                   std::chrono::duration<double>{*r.over_limit}.count())
               : worker_lost(how);
  tell("task-failed", r,
       {{"exception", why.repr()}, {"traceback", why.traceback}});
}

void consumer_state::tell_revoked(const request& r, bool expired) const {
  if (!tells())
    return;
  json::object fields{{"terminated", r.terminated},
                      {"signum", nullptr},
                      {"expired", expired}};
  if (r.terminated && r.signal != 0)
    fields["signum"] = r.signal;
  tell("task-revoked", r, std::move(fields));
}

/// Clients tell of what they send whether task events are on or not; so do tasks.
void consumer_state::tell_sent(const request& r, const outcome& x) const {
  if (!options.sent_events || !options.events)
    return;
  for (auto message : x.publish) {
    if (message.queue.empty() && message.exchange.empty())
      message.queue = r.queue;
    auto fields = sent_event_fields(message);
    if (fields.empty())
      continue;
    emit_event said{"task-sent", std::move(fields), {}};
    said.own = true;
    self->send(options.events, std::move(said));
  }
}

/// What a task says itself is said while task events are off, too.
void consumer_state::tell_own(job_event& x) {
  auto i = requests.find(x.job);
  if (i == requests.end() || !options.events)
    return;
  auto fields = parse_json(x.fields);
  if (!fields || !fields->is_object()) {
    spdlog::error("task {}: the fields of its event {} are no object",
                  i->second.header.id.str(), x.type);
    return;
  }
  emit_event said{std::move(x.type), std::move(fields->get_object()), {}};
  said.own = true;
  self->send(options.events, std::move(said));
}

} // namespace umbel
