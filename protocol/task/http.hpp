// HTTP/1.1 for coroutines.
//
//   auto answer = co_await umbel::http_get("http://localhost:8080/orders");
//   if (answer.status != 200) ...
//
// http:// only, one connection for each request, redirects are not followed.
#pragma once

#include "protocol/error.hpp"
#include "protocol/task/coroutine.hpp"
#include "protocol/task/exceptions.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace umbel {

using http_headers = std::vector<std::pair<std::string, std::string>>;

struct http_request {
  std::string url; ///< "http://host:port/path?query"
  std::string method = "GET";
  http_headers headers = {}; ///< besides Host, User-Agent and Content-Length
  std::string body = {};
  /// For the whole exchange, the look-up of the name included.
  std::chrono::milliseconds timeout{30'000};
  size_t response_bytes_max = 64u << 20; ///< of the response's body
};

struct http_response {
  int status = 0; ///< 200, 404 ...: every answer of the server is a response
  http_headers headers;
  std::string body;

  /// The first header of this name, in any case; empty if there is none.
  std::string_view header(std::string_view name) const;
};

/// There is no response. A Python client gets a ConnectionError, a
/// TimeoutError, or a ValueError for a request that cannot be sent.
class http_error : public exception {
public:
  explicit http_error(const error& x);
};

class [[nodiscard]] http_wait final : public wait {
public:
  explicit http_wait(http_request request) : request_(std::move(request)) {
  }

  http_response await_resume();

private:
  std::unique_ptr<runtime::operation> begin(runtime& where) override;

  http_request request_;
  expected<http_response> response_;
};

/// Sends a request and waits for the whole response.
/// @throws http_error when awaited
inline http_wait http_send(http_request request) {
  return http_wait{std::move(request)};
}

inline http_wait http_get(std::string url) {
  http_request request;
  request.url = std::move(url);
  return http_wait{std::move(request)};
}

} // namespace umbel
