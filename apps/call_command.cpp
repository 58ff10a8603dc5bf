#include "apps/call_command.hpp"

#include "apps/configure.hpp"
#include "apps/exit_status.hpp"
#include "apps/remote/remote_session.hpp"
#include "protocol/client/producer.hpp"

#include <cstdio>

namespace umbel {

namespace {

task_call make_call(const call_options& x, const settings& from) {
  task_call result;
  auto time = now();
  result.task = x.task;
  result.args = x.args;
  result.kwargs = x.kwargs;
  result.id = x.task_id;
  result.headers = x.headers;
  result.queue = x.queue.empty() ? from.task_default_queue : x.queue;
  result.priority = x.priority.value_or(from.task_default_priority.value_or(0));
  if (x.countdown)
    result.eta = time + *x.countdown;
  else
    result.eta = x.eta;
  if (x.expires_in)
    result.expires = time + *x.expires_in;
  else
    result.expires = x.expires;
  result.form = {from.task_serializer,
                 from.task_compression.value_or(compression::none)};
  return result;
}

} // namespace

int run_call_command(const std::string& name, const options& given,
                     const call_options& call) {
  if (call.task.empty())
    return refuse(name, "which task? " + name + " TASK", exit_usage);
  auto loaded = read_settings(name, given, warnings_of_settings::show);
  if (!loaded)
    return refuse(name, loaded.error().what, exit_usage);
  producer_options to;
  to.broker_url = loaded->broker_url;
  to.broker = to_broker_options(*loaded);
  to.result_serializer = loaded->result_serializer;
  to.sent_events = loaded->task_send_sent_event;
  to.event_serializer = loaded->event_serializer;
  if (call.wait)
    to.result_url = loaded->result_backend;
  if (!call.headers.empty() && !keeps_unique_keys(to.broker_url))
    return refuse(name,
                  "this broker knows neither --unique-key nor --publish-once; "
                  "Redis and SQLite do",
                  exit_usage);
  auto connected = producer::connect(to);
  if (!connected)
    return refuse(name, connected.error().what, status_of(connected.error()));
  auto id = connected->send(make_call(call, *loaded));
  if (!id)
    return refuse(name, id.error());
  if (!call.wait) {
    std::printf("%s\n", id->str().c_str());
    return exit_ok;
  }
  auto result = connected->wait(*id, call.timeout);
  if (!result)
    return refuse(name, result.error().what, status_of(result.error()));
  if (!*result)
    return refuse(name,
                  "task " + id->str() + " has not ended within the timeout; it "
                    "is not withdrawn",
                  exit_timeout);
  if (!(*result)->succeeded())
    return refuse(name,
                  "task " + id->str()
                    + ((*result)->status == "REVOKED" ? " was revoked: "
                                                      : " failed: ")
                    + (*result)->reason(),
                  exit_failure);
  std::printf("%s\n", to_json((*result)->result).c_str());
  return exit_ok;
}

} // namespace umbel
