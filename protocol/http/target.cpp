#include "protocol/http/target.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace umbel::http {

namespace {

error malformed(const std::string& url, const char* why) {
  return {errc::malformed, "URL '" + url + "': " + why};
}

std::string lower(std::string_view text) {
  std::string result{text};
  for (auto& c : result)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c + ('a' - 'A'));
  return result;
}

} // namespace

std::string target::str() const {
  return (tls ? "https://" : "http://") + authority + path;
}

bool same_origin(const target& a, const target& b) {
  return a.tls == b.tls && a.host == b.host && a.port == b.port;
}

expected<target> parse_target(const std::string& url) {
  // What would end the line, or the header, and begin another.
  if (std::ranges::any_of(
          url, [](unsigned char c) { return c <= ' ' || c == 0x7f; }))
    return malformed(url, "spaces and control characters must be escaped");
  std::string_view rest = url;
  target to;
  to.tls = rest.starts_with("https://");
  if (!to.tls && !rest.starts_with("http://"))
    return malformed(url, "it does not begin with http:// or https://");
  rest.remove_prefix(to.tls ? 8 : 7);
  rest = rest.substr(0, rest.find('#'));
  auto end = std::min(rest.find_first_of("/?\\"), rest.size());
  to.authority = rest.substr(0, end);
  to.path = rest.substr(end);
  if (!to.path.starts_with('/'))
    to.path.insert(0, "/");
  if (auto at = to.authority.rfind('@'); at != std::string::npos)
    return malformed("..." + to.authority.substr(at), "a user or password does not belong here, but into "
                          "the header Authorization");
  std::string_view host = to.authority;
  auto colon = host.rfind(':');
  if (host.starts_with('[')) {
    auto bracket = host.find(']');
    if (bracket == host.npos)
      return malformed(url, "a ] is missing");
    if (colon < bracket)
      colon = host.npos;
    if (bracket + 1 != std::min(colon, host.size()))
      return malformed(url, "behind the ] stands no port");
    to.host = lower(host.substr(1, bracket - 1));
  } else {
    to.host = lower(host.substr(0, colon));
    if (to.host.ends_with('.'))
      to.host.pop_back();
  }
  if (to.host.empty())
    return malformed(url, "there is no host");
  to.port = to.tls ? 443 : 80;
  if (colon == host.npos)
    return to;
  auto digits = host.substr(colon + 1);
  auto last = digits.data() + digits.size();
  auto [ptr, ec] = std::from_chars(digits.data(), last, to.port);
  if (ec != std::errc{} || ptr != last || to.port == 0)
    return malformed(url, "the port is no number from 1 to 65535");
  return to;
}

expected<target> follow(const target& from, const std::string& location) {
  auto origin = (from.tls ? "https://" : "http://") + from.authority;
  if (location.starts_with("//"))
    return parse_target((from.tls ? "https:" : "http:") + location);
  if (location.starts_with('/'))
    return parse_target(origin + location);
  auto colon = location.find(':');
  if (colon < location.find_first_of("/?#"))
    return parse_target(location);
  auto path = from.path.substr(0, from.path.find('?'));
  if (location.starts_with('?'))
    return parse_target(origin + path + location);
  path.erase(path.rfind('/') + 1);
  return parse_target(origin + path + location);
}

} // namespace umbel::http
