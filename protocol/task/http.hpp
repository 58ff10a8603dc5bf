// HTTP/1.1 for coroutines.
//
//   auto answer = co_await umbel::http_get("http://localhost:8080/orders");
//   if (answer.status != 200) ...
//
// One connection for each request. With https:// the server's certificate and name
// are verified.
#pragma once

#include "protocol/error.hpp"
#include "protocol/task/coroutine.hpp"
#include "protocol/task/exceptions.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace umbel::http {

class access;
class trust;

} // namespace umbel::http

namespace umbel {

using http_headers = std::vector<std::pair<std::string, std::string>>;

struct http_request {
  std::string url; ///< "https://host:port/path?query"
  std::string method = "GET";
  http_headers headers = {}; ///< besides Host, User-Agent and Content-Length
  std::string body = {};
  /// For the whole exchange, the look-up of the name and redirects included.
  std::chrono::milliseconds timeout{30'000};
  size_t response_bytes_max = 64u << 20; ///< of the response's body
  /// How many redirects are followed; then, the response is the last of them. Another
  /// server does not get `headers`, and from https:// none leads to http://.
  int redirects_max = 0;
  /// Which hosts and addresses may be reached, also by redirects; null: all.
  std::shared_ptr<const http::access> access = {};
  /// Which certificates are good; null: those of the system's authorities.
  std::shared_ptr<const http::trust> trust = {};
};

struct http_response {
  int status = 0; ///< 200, 404 ...: every answer of the server is a response
  http_headers headers;
  std::string body;

  /// The first header of this name, in any case; empty if there is none.
  std::string_view header(std::string_view name) const;
};

/// There is no response. A Python client gets a ConnectionError, a
/// TimeoutError, a PermissionError where `access` forbids it, or a ValueError for a
/// request that cannot be sent.
class http_error : public exception {
public:
  explicit http_error(const error& x);

  /// `unavailable` and `timeout`: another try may do better.
  errc code() const noexcept {
    return code_;
  }

private:
  errc code_;
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
