#include "protocol/webhook/webhook_tasks.hpp"

#include "protocol/task/backoff.hpp"
#include "protocol/webhook/answer.hpp"
#include "protocol/webhook/endpoint.hpp"
#include "protocol/webhook/request.hpp"

#include <fmt/format.h>

#include <memory>
#include <random>

namespace umbel::webhook {

namespace {

using shared_endpoint = std::shared_ptr<const endpoint>;

/// "POST https://host/path", without the query, which may hold a key.
std::string name_of(const http_request& x) {
  return x.method + ' ' + x.url.substr(0, x.url.find_first_of("?#"));
}

std::chrono::seconds wait_before_retry(const endpoint& x, int64_t retries) {
  auto wait = backoff_interval(x.retry_backoff, retries, x.retry_backoff_max);
  if (!x.retry_jitter)
    return wait;
  std::random_device device;
  return full_jitter(wait, uint64_t{device()} << 32 | device());
}

/// Sends it and has the run end as the answer says: it returns, fails, or is retried.
awaitable<json::value> call_endpoint(context& self, shared_endpoint x,
                                     http_request request) {
  auto name = name_of(request);
  retry_options how;
  how.countdown = wait_before_retry(*x, self.retries());
  try {
    auto response = co_await http_send(std::move(request));
    if (!is_retriable(response.status))
      co_return read_answer(name, response);
    how.exc = std::make_exception_ptr(status_error(name, response));
    if (auto wish = retry_after(response.header("Retry-After"), now()))
      how.countdown = *wish;
  } catch (const http_error& e) {
    if (e.code() != errc::unavailable && e.code() != errc::timeout)
      throw;
    how.exc = std::current_exception();
  }
  self.retry(std::move(how));
}

task_definition& add_declared(registry& to, const shared_endpoint& x) {
  return to.task(x->task, [x](context& self, const varargs& args,
                              const kwargs& named) {
    return call_endpoint(self, x,
                         make_request(*x, self, args.values, named.values));
  });
}

task_definition& add_dispatch(registry& to, const shared_endpoint& x) {
  using namespace literals;
  auto run = [x](context& self, const std::string& url,
                 const std::string& method, const kwargs& named) {
    return call_endpoint(
        self, x, make_dispatch_request(*x, self, url, method, named.values));
  };
  return to.task(std::string{dispatch_task}, run, "url", "method"_a = "GET");
}

} // namespace

expected<void> add_tasks(registry& to, const json::object& settings) {
  auto endpoints = read_endpoints(settings);
  if (!endpoints)
    return endpoints.error();
  for (auto& one : *endpoints) {
    if (to.find(one.task))
      return error{errc::invalid_setting,
                   fmt::format("webhook_tasks['{}']: a task library has a task "
                               "of this name",
                               one.task)};
    auto x = std::make_shared<const endpoint>(std::move(one));
    auto& task = x->task == dispatch_task ? add_dispatch(to, x)
                                          : add_declared(to, x);
    if (x->max_retries)
      task.max_retries(*x->max_retries);
    else
      task.unlimited_retries();
    if (x->acks_late)
      task.acks_late(*x->acks_late);
  }
  return {};
}

} // namespace umbel::webhook
