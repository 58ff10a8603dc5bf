#define CAF_SUITE webhook

#include "tests/unit/dsl.hpp"

#include "protocol/task/runner.hpp"
#include "protocol/webhook/answer.hpp"
#include "protocol/webhook/endpoint.hpp"
#include "protocol/webhook/request.hpp"
#include "protocol/webhook/webhook_tasks.hpp"

#include "tests/unit/task/simulated_runtime.hpp"

using namespace umbel;
using namespace umbel::webhook;
using namespace std::chrono_literals;

namespace {

struct silent_sink : state_sink {
  void state(uint64_t, std::string) override {
  }

  void log(uint64_t, uint8_t, std::string_view) override {
  }
};

json::object read(const char* text) {
  return parse_json(text).value().as_object();
}

/// What is wrong with these settings.
std::string fault(const char* text) {
  auto x = read_endpoints(read(text));
  return x ? "nothing" : x.error().what;
}

task_call call_of(std::string task, json::array args = {},
                  json::object kwargs = {}) {
  task_call result;
  result.task = std::move(task);
  result.args = std::move(args);
  result.kwargs = std::move(kwargs);
  return result;
}

struct fixture {
  void configure(const char* settings) {
    auto done = add_tasks(app, read(settings));
    CAF_REQUIRE_EQUAL(done ? "" : done.error().what, "");
  }

  /// Runs it with this answer of the server. @returns how it ended, in words
  std::string run(task_call call, expected<http_response> answer) {
    where.response = std::move(answer);
    call.id = "the-id";
    std::optional<outcome> result;
    task_runner runner{app, runner_settings{}, where};
    result = runner.start(1, make_task_message(call), sink,
                          [&](outcome x) { result = std::move(x); });
    where.advance(1s);
    CAF_REQUIRE(result);
    ended = result->kind;
    published = std::move(result->publish);
    return result->summary;
  }

  const http_request& request() const {
    return where.requests.back();
  }

  std::string header(std::string_view name) const {
    std::string found;
    for (auto& [key, value] : request().headers)
      if (key == name)
        found += value;
    return found;
  }

  registry app;
  simulated_runtime where;
  silent_sink sink;
  outcome_kind ended{};
  std::vector<outgoing_message> published;
};

http_response ok(std::string body) {
  return {200, {}, std::move(body)};
}

constexpr auto resize = R"({"webhook_tasks": {"images.resize": {
  "url": "https://host/resize?key=secret", "headers": {"Authorization": "x",
  "celery-task-id": "forged"}, "timeout": 2.5, "max_retries": 2,
  "retry_jitter": false}}})";

} // namespace

CAF_TEST_FIXTURE_SCOPE(webhook_tests, fixture)

CAF_TEST(a declared endpoint gets arguments and headers) {
  configure(resize);
  auto call = call_of("images.resize", {1, "two"}, {{"three", nullptr}});
  call.retries = 1;
  CAF_CHECK_EQUAL(run(call, ok(R"({"status": "success", "retval": [1]})")),
                  "[1]");
  CAF_CHECK_EQUAL(request().method, "POST");
  CAF_CHECK_EQUAL(request().url, "https://host/resize?key=secret");
  CAF_CHECK_EQUAL(request().body,
                  R"({"args": [1, "two"], "kwargs": {"three": null}})");
  CAF_CHECK(request().timeout == 2500ms);
  CAF_CHECK_EQUAL(header("Content-Type"), "application/json");
  CAF_CHECK_EQUAL(header("Authorization"), "x");
  CAF_CHECK_EQUAL(header("Celery-Task-Id"), "the-id");
  CAF_CHECK_EQUAL(header("celery-task-id"), "");
  CAF_CHECK_EQUAL(header("Celery-Task-Name"), "images.resize");
  CAF_CHECK_EQUAL(header("Celery-Task-Retries"), "1");
}

CAF_TEST(keyword arguments in the URL) {
  configure(R"({"webhook_tasks": {"get": {"url": "http://host/x?a=b",
                                          "method": "GET"}}})");
  auto call = call_of("get", {}, {{"q", "ä &+"}, {"n", 1.5}, {"t", true},
                                  {"l", {1, "x"}}});
  run(call, ok(R"({"status": "success", "retval": null})"));
  CAF_CHECK_EQUAL(request().url, "http://host/x?a=b&q=%C3%A4+%26%2B&n=1.5"
                                 "&t=True&l=%5B1%2C+%27x%27%5D");
  CAF_CHECK_EQUAL(request().body, "");
  call.args = {1};
  CAF_CHECK_EQUAL(run(call, ok("")), "TypeError('get takes keyword arguments only: "
                                     "a GET has no body for others')");
}

CAF_TEST(dispatch as in Celery 3) {
  configure("{}");
  auto done = ok(R"({"status": "success", "retval": 3})");
  auto call = call_of("celery.http.dispatch", {"http://host/add", "POST"},
                      {{"x", 1}, {"y", "2 3"}});
  CAF_CHECK_EQUAL(run(call, done), "3");
  CAF_CHECK_EQUAL(request().body, "x=1&y=2+3");
  CAF_CHECK_EQUAL(header("Content-Type"), "application/x-www-form-urlencoded");
  call.args = {"http://host/add"};
  CAF_CHECK_EQUAL(run(call, done), "3");
  CAF_CHECK_EQUAL(request().method, "GET");
  CAF_CHECK_EQUAL(request().url, "http://host/add?x=1&y=2+3");
  call.args = {"http://host/add", "TRACE"};
  CAF_CHECK_EQUAL(run(call, done),
                  "ValueError('no method for a webhook: TRACE')");
}

CAF_TEST(answers and what they become) {
  configure(resize);
  auto call = call_of("images.resize");
  auto answer = [&](int status, std::string body) {
    return run(call, http_response{status, {}, std::move(body)});
  };
  CAF_CHECK_EQUAL(answer(200, R"({"status": "failure", "reason": "no disk"})"),
                  "RemoteExecuteError('no disk')");
  CAF_CHECK_EQUAL(answer(500, R"({"status": "failure", "reason": null})"),
                  "RemoteExecuteError(None)");
  CAF_CHECK_EQUAL(answer(404, "not here"),
                  "HTTPError('POST https://host/resize: status 404')");
  CAF_CHECK_EQUAL(answer(302, ""),
                  "HTTPError('POST https://host/resize: status 302')");
  CAF_CHECK_EQUAL(answer(200, ""), "InvalidResponseError('POST "
                                   "https://host/resize: empty response')");
  CAF_CHECK_EQUAL(answer(200, "[]"), "InvalidResponseError('POST "
                                     "https://host/resize: no JSON object')");
  CAF_CHECK(answer(200, "<html>").starts_with("InvalidResponseError("));
  CAF_CHECK(answer(200, "{}").starts_with("InvalidResponseError("));
  CAF_CHECK(answer(200, R"({"status": "success"})")
                .starts_with("InvalidResponseError("));
  CAF_CHECK_EQUAL(answer(200, R"({"status": "maybe"})"),
                  "UnknownStatusError(\"POST https://host/resize: status "
                  "'maybe'\")");
  CAF_CHECK(ended == outcome_kind::failure);
  CAF_CHECK_EQUAL(answer(204, ""), "None");
  CAF_CHECK(ended == outcome_kind::success);
}

CAF_TEST(what another try may mend is retried with backoff) {
  configure(resize);
  auto call = call_of("images.resize");
  auto busy = http_response{503, {}, ""};
  CAF_CHECK_EQUAL(run(call, busy), "Retry in 1s: HTTPError('POST "
                                   "https://host/resize: status 503')");
  CAF_CHECK(ended == outcome_kind::retry);
  CAF_CHECK_EQUAL(published.size(), 1u);
  call.retries = 1;
  CAF_CHECK(run(call, busy).starts_with("Retry in 2s: "));
  call.retries = 2;
  CAF_CHECK(run(call, busy).starts_with("HTTPError("));
  CAF_CHECK(ended == outcome_kind::failure);
  call.retries = 0;
  for (auto status : {429, 502, 504})
    CAF_CHECK(run(call, http_response{status, {}, ""}).starts_with("Retry in"));
  CAF_CHECK(run(call, error{errc::unavailable, "down"})
            == "Retry in 1s: ConnectionError('down')");
  CAF_CHECK(run(call, error{errc::timeout, "slow"})
            == "Retry in 1s: TimeoutError('slow')");
  CAF_CHECK(run(call, error{errc::refused, "no"}) == "PermissionError('no')");
  CAF_CHECK(run(call, error{errc::unsupported, "tls"})
            == "ConnectionError('tls')");
}

CAF_TEST(a server may say when to come back) {
  configure(resize);
  auto call = call_of("images.resize");
  CAF_CHECK(run(call, http_response{429, {{"retry-after", "17"}}, ""})
                .starts_with("Retry in 17s: "));
  auto at = timestamp{std::chrono::sys_days{std::chrono::year{1994}
                                            / std::chrono::November / 6}
                      + 8h + 49min + 30s};
  auto date = "Sun, 06 Nov 1994 08:49:37 GMT";
  CAF_CHECK(retry_after(date, at) == 7s);
  CAF_CHECK(retry_after(date, at + 1h) == 0s);
  CAF_CHECK(retry_after("99999999", at) == 24h);
  CAF_CHECK(retry_after("-5", at) == 0s);
  for (auto x : {"", "soon", "1.5", "Sun, 31 Feb 1994 08:49:37 GMT",
                 "Sun, 06 Nix 1994 08:49:37 GMT"})
    CAF_CHECK(!retry_after(x, at));
}

CAF_TEST(mistakes in the settings) {
  CAF_CHECK_EQUAL(fault(resize), "nothing");
  CAF_CHECK_EQUAL(fault(R"({"webhook_tasks": {"a": "https://host/x"}})"),
                  "nothing");
  CAF_CHECK_EQUAL(fault(R"({"webhook_tasks": {"a": {}}})"),
                  "webhook_tasks['a'] has no url");
  CAF_CHECK_EQUAL(fault(R"({"webhook_tasks": {"a": 1}})"),
                  "webhook_tasks['a'] is neither a URL nor an object");
  CAF_CHECK_EQUAL(fault(R"({"webhook_tasks": {"a": "ftp://host/"}})"),
                  "webhook_tasks['a'] cannot be sent: URL 'ftp://host/': it does "
                  "not begin with http:// or https://");
  CAF_CHECK_EQUAL(fault(R"({"webhook_tasks": {"a": {"url": "http://h/",
                            "timeout": "x"}}})"),
                  "webhook_tasks['a'].timeout is \"x\"; expected a number of "
                  "seconds from 0.001 to 86400");
  CAF_CHECK_EQUAL(fault(R"({"webhook_tasks": {"a": {"url": "http://h/",
                            "method": "TRACE"}}})"),
                  "webhook_tasks['a'].method is \"TRACE\"; expected one of GET, "
                  "POST, PUT, PATCH, DELETE");
  CAF_CHECK(fault(R"({"webhook_tasks": {"a": {"url": "http://h/", "tmieout": 1}}})")
                .starts_with("webhook_tasks['a'] has no member 'tmieout'; there "
                             "are url, method, "));
  CAF_CHECK_EQUAL(fault(R"({"webhook_tasks": {"a": {"url": "http://h/",
                            "headers": {"X": "a\r\nY: b"}}}})"),
                  "webhook_tasks['a'].headers: 'X' is no header with one line of "
                  "text");
  CAF_CHECK_EQUAL(fault(R"({"webhook_tasks": {"a": "http://127.0.0.1:8000/"}})"),
                  "webhook_tasks['a'] cannot be reached: 127.0.0.1 is a loopback "
                  "address and not in webhook_allowed_networks");
  CAF_CHECK_EQUAL(fault(R"({"webhook_tasks": {"a": "http://127.0.0.1:8000/"},
                            "webhook_allowed_networks": ["127.0.0.1"]})"),
                  "nothing");
  CAF_CHECK_EQUAL(fault(R"({"webhook_tasks": {"celery.ping": "http://h/"}})"),
                  "webhook_tasks['celery.ping'] cannot be: tasks that begin with "
                  "celery. are Celery's own");
  CAF_CHECK_EQUAL(fault(R"({"webhook_tasks": {"celery.http.dispatch":
                            {"timeout": 5}}})"),
                  "nothing");
  CAF_CHECK(fault(R"({"webhook_tasks": {"a": {"url": "https://h/",
                      "ca_file": "/none"}}})")
                .starts_with("webhook_tasks['a'].ca_file: cannot read "
                             "certificates of /none: "));
  CAF_CHECK_EQUAL(fault(R"({"webhook_allowed_networks": ["10.0.0.1/8"]})"),
                  "webhook_allowed_networks: '10.0.0.1/8' is no network: there are "
                  "bits behind its prefix");
  CAF_CHECK(fault(R"({"webhook_allowed_hosts": ["a/b"]})")
                .starts_with("webhook_allowed_hosts: 'a/b' is no host: "));
  app.task("images.resize", [] {});
  auto twice = add_tasks(app, read(resize));
  CAF_REQUIRE(!twice);
  CAF_CHECK_EQUAL(twice.error().what, "webhook_tasks['images.resize']: a task "
                                      "library has a task of this name");
}

CAF_TEST_FIXTURE_SCOPE_END()
