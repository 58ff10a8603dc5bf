#define CAF_SUITE http

#include "tests/unit/dsl.hpp"

#include "protocol/http/access.hpp"
#include "protocol/task/runner.hpp"
#include "protocol/task/task.hpp"

#include "tests/unit/task/simulated_runtime.hpp"

#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct silent_sink : state_sink {
  void state(uint64_t, std::string) override {
  }

  void log(uint64_t, uint8_t, std::string_view) override {
  }
};

/// @returns the port
int bind_to_loopback(int fd) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(where);
  bind(fd, reinterpret_cast<sockaddr*>(&where), size);
  getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size);
  return ntohs(where.sin_port);
}

/// Answers one connection with fixed bytes, after the request's header.
class one_answer {
public:
  explicit one_answer(std::string bytes) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    port = bind_to_loopback(listener_);
    listen(listener_, 1);
    thread_ = std::thread{[this, bytes = std::move(bytes)] {
      auto fd = accept(listener_, nullptr, nullptr);
      char buffer[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        auto n = read(fd, buffer, sizeof(buffer));
        if (n <= 0)
          break;
        request.append(buffer, static_cast<size_t>(n));
      }
      if (bytes.empty())
        while (read(fd, buffer, sizeof(buffer)) > 0) // until it gives up
          ;
      else
        [[maybe_unused]] auto n = write(fd, bytes.data(), bytes.size());
      close(fd);
    }};
  }

  ~one_answer() {
    finish();
    close(listener_);
  }

  /// Waits for the end of the connection; then `request` is complete.
  void finish() {
    if (thread_.joinable())
      thread_.join();
  }

  std::string url(const std::string& host = "127.0.0.1") const {
    return place(host) + "?b=c#d";
  }

  /// As errors have it: a query may hold a key.
  std::string place(const std::string& host = "127.0.0.1") const {
    return "http://" + host + ":" + std::to_string(port) + "/a";
  }

  int port = 0;
  std::string request;

private:
  int listener_;
  std::thread thread_;
};

struct fixture {
  /// Runs a task that sends this. @returns how it ended, in words.
  std::string run(http_request request) {
    registry app;
    app.task("send", [request]() -> awaitable<std::string> {
      auto x = co_await http_send(request);
      co_return std::to_string(x.status) + ' '
          + std::string{x.header("content-type")} + ' ' + x.body;
    });
    task_call call;
    call.task = "send";
    return task_runner{app, settings}
        .run(1, make_task_message(call), sink)
        .summary;
  }

  std::string get(const std::string& url) {
    http_request request;
    request.url = url;
    return run(request);
  }

  registry app;
  runner_settings settings;
  silent_sink sink;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(http_tests, fixture)

CAF_TEST(a request and its response) {
  one_answer server{"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"
                    "Content-Length: 4\r\n\r\nbody"};
  http_request request;
  request.url = server.url();
  request.method = "POST";
  request.headers = {{"X-Name", "value"}};
  request.body = "text";
  CAF_CHECK_EQUAL(run(request), "'404 text/plain body'");
  server.finish();
  CAF_CHECK(server.request.starts_with("POST /a?b=c HTTP/1.1\r\n"));
  CAF_CHECK(server.request.find("Host: 127.0.0.1:" + std::to_string(server.port)
                                + "\r\n")
            != std::string::npos);
  CAF_CHECK(server.request.find("X-Name: value\r\n") != std::string::npos);
  CAF_CHECK(server.request.find("Content-Length: 4\r\n") != std::string::npos);
}

CAF_TEST(a host name is looked up) {
  one_answer server{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nabc\r\n0\r\n\r\n"};
  CAF_CHECK_EQUAL(get(server.url("localhost")), "'200  abc'");
}

CAF_TEST(no answer in time) {
  one_answer server{""};
  http_request request;
  request.url = server.url();
  request.timeout = 20ms;
  CAF_CHECK_EQUAL(run(request), "TimeoutError('GET " + server.place()
                                    + ": no answer in time')");
}

CAF_TEST(a response that is too long) {
  one_answer server{"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"};
  http_request request;
  request.url = server.url();
  request.response_bytes_max = 999;
  CAF_CHECK_EQUAL(run(request), "ConnectionError('GET " + server.place()
                                    + ": the response has more than 999 "
                                      "bytes')");
}

CAF_TEST(what is no HTTP and a connection that ends) {
  one_answer server{"SSH-2.0\r\n\r\n"};
  CAF_CHECK(get(server.url()).starts_with("ConnectionError('GET http://"));
}

CAF_TEST(nobody listens) {
  // The port is taken, so that nobody else listens there, nor is it given to the
  // connection itself.
  auto taken = socket(AF_INET, SOCK_STREAM, 0);
  auto url = "http://127.0.0.1:" + std::to_string(bind_to_loopback(taken));
  CAF_CHECK_EQUAL(get(url), "ConnectionError('GET " + url
                                + ": Connection refused')");
  close(taken);
}

CAF_TEST(what cannot be sent is a ValueError) {
  for (auto url : {"", "host", "ftp://host/", "https://", "http://[::1]x/", "http://", "http://:80/",
                   "http://host:port/", "http://host:0/", "http://host:65536/",
                   "http://[::1/", "http://user:password@host/",
                   "http://host/ HTTP/1.1", "http://host/\r\nX: y"})
    CAF_CHECK(get(url).starts_with("ValueError("));
  http_request request;
  request.url = "http://127.0.0.1/";
  request.headers = {{"X", "y\r\nZ: z"}};
  CAF_CHECK(run(request).starts_with("ValueError("));
  request.headers = {};
  request.method = "GET / HTTP/1.1\r\n";
  CAF_CHECK(run(request).starts_with("ValueError("));
}

CAF_TEST(who may be reached is judged by where a name leads) {
  one_answer server{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
  auto make = [](std::vector<std::string> networks) {
    std::vector<std::string> any{"*"};
    return std::make_shared<const http::access>(
        http::access::make(any, networks).value());
  };
  http_request request;
  request.url = server.url("localhost");
  request.access = make({});
  CAF_CHECK(run(request).starts_with("PermissionError('GET "
                                     + server.place("localhost") + ": "));
  request.url = server.url();
  CAF_CHECK(run(request).starts_with("PermissionError('GET " + server.place()
                                     + ": 127.0.0.1 is a loopback address"));
  request.access = make({"127.0.0.0/8"});
  request.url = server.url("localhost");
  CAF_CHECK_EQUAL(run(request), "'200  '");
}

CAF_TEST(a redirect is followed as often as is allowed) {
  one_answer second{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend"};
  one_answer first{"HTTP/1.1 303 See Other\r\nContent-Length: 0\r\nLocation: "
                   + second.url() + "\r\n\r\n"};
  http_request request;
  request.url = first.url();
  request.method = "POST";
  request.body = "text";
  request.headers = {{"Authorization", "secret"}};
  request.redirects_max = 1;
  CAF_CHECK_EQUAL(run(request), "'200  end'");
  first.finish();
  second.finish();
  CAF_CHECK(first.request.find("secret") != std::string::npos);
  CAF_CHECK(second.request.starts_with("GET /a?b=c HTTP/1.1\r\n"));
  CAF_CHECK(second.request.find("secret") == std::string::npos);
  CAF_CHECK(second.request.find("text") == std::string::npos);
}

CAF_TEST(a redirect may keep the method and the body) {
  one_answer second{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend"};
  one_answer first{"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\n"
                   "Location: "
                   + second.url() + "\r\n\r\n"};
  http_request request;
  request.url = first.url();
  request.method = "POST";
  request.body = "text";
  request.headers = {{"Authorization", "secret"}, {"content-type", "text/plain"}};
  request.redirects_max = 1;
  CAF_CHECK_EQUAL(run(request), "'200  end'");
  second.finish();
  CAF_CHECK(second.request.starts_with("POST /a?b=c HTTP/1.1\r\n"));
  CAF_CHECK(second.request.find("secret") == std::string::npos);
  CAF_CHECK(second.request.find("content-type: text/plain\r\n")
            != std::string::npos);
}

CAF_TEST(a redirect is judged as the first request was) {
  one_answer first{"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
                   "http://127.0.0.2:1/\r\n\r\n"};
  http_request request;
  request.url = first.url();
  request.redirects_max = 5;
  std::vector<std::string> hosts{"*"}, networks{"127.0.0.1"};
  request.access = std::make_shared<const http::access>(
      http::access::make(hosts, networks).value());
  CAF_CHECK_EQUAL(run(request), "PermissionError('GET " + first.place()
                                    + ": 127.0.0.2 is a loopback address and not "
                                      "in webhook_allowed_networks')");
}

CAF_TEST(a soft time limit ends it) {
  simulated_runtime where;
  where.response = http_response{200, {}, "body"};
  app.task("get", []() -> awaitable<std::string> {
    co_return (co_await http_get("http://host/")).body;
  });
  task_call call;
  call.task = "get";
  task_runner runner{app, settings, where};
  std::optional<outcome> result;
  auto begin = [&] {
    result = runner.start(1, make_task_message(call), sink,
                          [&](outcome x) { result = std::move(x); });
  };
  begin();
  runner.interrupt(1);
  where.run_posted();
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "SoftTimeLimitExceeded()");
  CAF_CHECK_EQUAL(where.pending(), 0u);
  begin();
  where.advance(1ms);
  CAF_REQUIRE(result);
  CAF_CHECK_EQUAL(result->summary, "'body'");
}

CAF_TEST(one that is given up on a real loop leaves nothing) {
  one_answer server{""};
  asio_runtime loop;
  {
    http_request request;
    request.url = server.url();
    auto x = loop.send(request, [](auto) { CAF_ERROR("it was given up"); });
  }
  loop.post([&] { loop.stop(); });
  loop.run();
  // Nobody may have connected yet.
  auto fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  where.sin_port = htons(static_cast<uint16_t>(server.port));
  connect(fd, reinterpret_cast<sockaddr*>(&where), sizeof(where));
  close(fd);
}

CAF_TEST_FIXTURE_SCOPE_END()
