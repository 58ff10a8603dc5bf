#include "protocol/webhook/request.hpp"

#include <boost/beast/core/string.hpp>

#include <limits>

namespace umbel::webhook {

namespace {

/// Python's quote_plus.
void append_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "abcdefghijklmnopqrstuvwxyz0123456789_.-~";
  constexpr auto digits = "0123456789ABCDEF";
  for (unsigned char c : text) {
    if (plain.find(static_cast<char>(c)) != plain.npos)
      out += static_cast<char>(c);
    else if (c == ' ')
      out += '+';
    else
      ((out += '%') += digits[c >> 4]) += digits[c & 15];
  }
}

std::string to_str(const json::value& x) {
  if (auto* text = x.if_string())
    return std::string{std::string_view{*text}};
  return python_repr(x, std::numeric_limits<size_t>::max());
}

void set_header(http_headers& to, std::string_view name, std::string value) {
  std::erase_if(to, [&](auto& header) {
    return boost::beast::iequals(header.first, name);
  });
  to.emplace_back(name, std::move(value));
}

void set_body(http_request& to, std::string type, std::string body) {
  set_header(to.headers, "Content-Type", std::move(type));
  to.body = std::move(body);
}

http_request begin_request(const endpoint& x, const context& self,
                           std::string url, std::string method) {
  http_request to;
  to.url = std::move(url);
  to.method = std::move(method);
  to.headers = x.headers;
  to.timeout = x.timeout;
  to.response_bytes_max = x.response_bytes_max;
  to.redirects_max = x.max_redirects;
  to.access = x.access;
  to.trust = x.trust;
  set_header(to.headers, "Accept", "application/json");
  set_header(to.headers, id_header, self.id());
  set_header(to.headers, name_header, self.task());
  set_header(to.headers, retries_header, std::to_string(self.retries()));
  return to;
}

} // namespace

http_request make_request(const endpoint& x, const context& self,
                          const json::array& args, const json::object& kwargs) {
  if (!has_query(x.method)) {
    auto to = begin_request(x, self, x.url, x.method);
    set_body(to, "application/json",
             to_json(json::object{{"args", args}, {"kwargs", kwargs}}));
    return to;
  }
  if (!args.empty())
    throw wrong_call(self.task() + " takes keyword arguments only: a "
                     + x.method + " has no body for others");
  return begin_request(x, self, add_query(x.url, kwargs), x.method);
}

http_request make_dispatch_request(const endpoint& x, const context& self,
                                   const std::string& url,
                                   const std::string& method,
                                   const json::object& kwargs) {
  if (!is_method(method))
    throw exception("ValueError", {"no method for a webhook: " + method});
  if (has_query(method))
    return begin_request(x, self, add_query(url, kwargs), method);
  auto to = begin_request(x, self, url, method);
  set_body(to, "application/x-www-form-urlencoded", to_form(kwargs));
  return to;
}

std::string to_form(const json::object& x) {
  std::string to;
  for (auto& [key, value] : x) {
    if (!to.empty())
      to += '&';
    append_quoted(to, key);
    to += '=';
    append_quoted(to, to_str(value));
  }
  return to;
}

std::string add_query(const std::string& url, const json::object& x) {
  if (x.empty())
    return url;
  auto to = url.substr(0, url.find('#'));
  if (to.find('?') == std::string::npos)
    to += '?';
  else if (!to.ends_with('?') && !to.ends_with('&'))
    to += '&';
  return to + to_form(x);
}

} // namespace umbel::webhook
