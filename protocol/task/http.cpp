#include "protocol/task/http.hpp"

#include "protocol/task/runtime.hpp"

#include <algorithm>

namespace umbel {

namespace {

bool equal_in_any_case(std::string_view a, std::string_view b) {
  auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  return std::ranges::equal(a, b, {}, lower, lower);
}

const char* python_type(errc code) {
  switch (code) {
    case errc::timeout:
      return "TimeoutError";
    case errc::malformed:
      return "ValueError";
    case errc::refused:
      return "PermissionError";
    default:
      return "ConnectionError";
  }
}

} // namespace

std::string_view http_response::header(std::string_view name) const {
  for (auto& [key, value] : headers)
    if (equal_in_any_case(key, name))
      return value;
  return {};
}

http_error::http_error(const error& x)
    : exception(python_type(x.code), {x.what}), code_(x.code) {
}

http_response http_wait::await_resume() {
  check();
  if (!response_)
    throw http_error(response_.error());
  return std::move(*response_);
}

std::unique_ptr<runtime::operation> http_wait::begin(runtime& where) {
  return where.send(std::move(request_), [this](expected<http_response> x) {
    response_ = std::move(x);
    finish();
  });
}

} // namespace umbel
