#include "apps/call_command.hpp"

#include "apps/configure.hpp"
#include "apps/exit_status.hpp"
#include "apps/remote/remote_session.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/client/app.hpp"
#include "protocol/client/app_settings.hpp"
#include "protocol/task/exceptions.hpp"

#include <cstdio>

namespace umbel {

namespace {

/// The exit status that tells of what an app has thrown.
int status_of(const exception& x) {
  if (x.type() == "OperationalError")
    return exit_unavailable;
  if (x.type() == "TimeoutError")
    return exit_timeout;
  if (x.type() == "TaskRevokedError") // its key is taken
    return exit_failure;
  return exit_usage;
}

/// Waits for the end and shows it.
int show_end(const std::string& name, const async_result& sent,
             const call_options& call) {
  auto& id = sent.id();
  try {
    sent.get({.timeout = call.timeout, .propagate = false});
  } catch (const exception& x) {
    if (x.type() != "TimeoutError")
      throw;
    return refuse(name,
                  "task " + id + " has not ended within the timeout; it is not "
                    "withdrawn",
                  exit_timeout);
  }
  auto end = sent.meta();
  if (!end)
    return refuse(name, "the result of task " + id + " has been deleted",
                  exit_failure);
  if (!end->succeeded())
    return refuse(name,
                  "task " + id
                    + (end->status == "REVOKED" ? " was revoked: " : " failed: ")
                    + end->reason(),
                  exit_failure);
  std::printf("%s\n", to_json(end->result).c_str());
  return exit_ok;
}

} // namespace

int run_call_command(const std::string& name, const options& given,
                     const call_options& call) {
  if (call.task.empty())
    return refuse(name, "which task? " + name + " TASK", exit_usage);
  auto loaded = read_settings(name, given, warnings_of_settings::show);
  if (!loaded)
    return refuse(name, loaded.error().what, exit_usage);
  auto how = to_app_options(*loaded);
  how.always_eager = false; // as Celery's send_task: the task is a worker's
  if (!call.how.headers.empty() && !keeps_unique_keys(how.broker_url))
    return refuse(name,
                  "this broker knows neither --unique-key nor --publish-once; "
                  "Redis and SQLite do",
                  exit_usage);
  if (!call.wait)
    how.result_url.clear();
  // One line soon, rather than an answer later.
  how.publish_retry.max_retries = 0;
  try {
    app at{std::move(how)};
    if (call.wait)
      at.open_results();
    auto sent = at.send_task(call.task, call.args, call.kwargs, call.how);
    if (call.wait)
      return show_end(name, sent, call);
    std::printf("%s\n", sent.id().c_str());
    return exit_ok;
  } catch (const exception& x) {
    return refuse(name, x.what(), status_of(x));
  }
}

} // namespace umbel
