#include "protocol/broker/url.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace umbel {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A '%' that begins no escape stands for itself, as with Python's unquote.
std::string decode(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      auto high = hex_digit(text[i + 1]);
      auto low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        result += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    result += text[i];
  }
  return result;
}

// Cuts `text` at `pos`; what follows the separator is returned.
std::string_view split_at(std::string_view& text, size_t pos) {
  if (pos == std::string_view::npos)
    return {};
  auto rest = text.substr(pos + 1);
  text = text.substr(0, pos);
  return rest;
}

bool parse_port(std::string_view text, int& port) {
  auto end = text.data() + text.size();
  auto [ptr, ec] = std::from_chars(text.data(), end, port);
  return ec == std::errc{} && ptr == end && port > 0 && port < 65536;
}

error fault(std::string what) {
  return {errc::invalid_setting, std::move(what)};
}

} // namespace

std::string url::option(std::string_view name, std::string fallback) const {
  for (auto& [key, value] : query)
    if (key == name)
      return value;
  return fallback;
}

expected<url> parse_url(std::string_view text) {
  url result;
  auto colon = text.find("://");
  if (colon == std::string_view::npos || colon == 0)
    return fault("not a URL: a broker or result URL begins with a scheme, such "
                 "as redis://");
  result.scheme = text.substr(0, colon);
  std::transform(result.scheme.begin(), result.scheme.end(),
                 result.scheme.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  text.remove_prefix(colon + 3);
  auto authority = text.substr(0, text.find_first_of("/?"));
  auto at = authority.rfind('@');
  if (at != std::string_view::npos) {
    auto login = authority.substr(0, at);
    auto password = split_at(login, login.find(':'));
    result.user = decode(login);
    result.password = decode(password);
    text.remove_prefix(at + 1);
  } else if (authority.find(':') != std::string_view::npos
             && text.find('@') != std::string_view::npos) {
    // What looks like host and port may be a password: do not repeat it.
    return fault("the URL has an '@' after the first '/' or '?': in a password "
                 "write '/' as %2F and '?' as %3F");
  }
  auto query = split_at(text, text.find('?'));
  auto slash = text.find('/');
  if (slash != std::string_view::npos) {
    result.path = decode(text.substr(slash));
    text = text.substr(0, slash);
  }
  if (text.starts_with('[')) {
    auto bracket = text.find(']');
    if (bracket == std::string_view::npos)
      return fault("the URL's IPv6 address lacks its closing bracket");
    result.host = text.substr(1, bracket - 1);
    text.remove_prefix(bracket + 1);
    if (!text.empty() && text[0] != ':')
      return fault("the URL has text between its IPv6 address and the port");
    text = split_at(text, text.find(':'));
  } else {
    auto port = split_at(text, text.find(':'));
    result.host = decode(text);
    text = port;
  }
  if (!text.empty() && !parse_port(text, result.port))
    return fault("the port of the " + result.scheme + " URL for host \""
                 + result.host + "\" is not a number from 1 to 65535");
  while (!query.empty()) {
    auto item = query;
    query = split_at(item, item.find('&'));
    auto value = split_at(item, item.find('='));
    if (!item.empty())
      result.query.emplace_back(decode(item), decode(value));
  }
  return result;
}

std::string to_string(const url& x) {
  auto result = x.scheme + "://" + x.user;
  if (!x.password.empty())
    result += ":**";
  if (!x.user.empty() || !x.password.empty())
    result += '@';
  result += x.host.find(':') == std::string::npos ? x.host : '[' + x.host + ']';
  if (x.port != 0)
    result += ':' + std::to_string(x.port);
  return result + x.path;
}

} // namespace umbel
