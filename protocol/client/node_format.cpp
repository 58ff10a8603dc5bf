#include "protocol/client/node_format.hpp"

#include <algorithm>
#include <cctype>

#include <unistd.h>

namespace umbel {

expected<node_name> expand_node_name(const std::string& text,
                                     const std::string& host) {
  auto at = text.find('@');
  auto name = at == text.npos ? std::string{} : text.substr(0, at);
  auto place = at == text.npos ? text : text.substr(at + 1);
  auto pattern =
      (name.empty() ? "celery" : name) + '@' + (place.empty() ? host : place);
  auto dot = host.find('.');
  auto invalid = [&](const std::string& why) {
    return error{errc::invalid_setting, "node name '" + text + "' " + why};
  };
  std::string result;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      result += pattern[i];
      continue;
    }
    auto letter = ++i < pattern.size() ? pattern[i] : '\0';
    switch (letter) {
      case 'h':
        result += host;
        break;
      case 'n':
        result += host.substr(0, dot);
        break;
      case 'd':
        result += dot == host.npos ? "" : host.substr(dot + 1);
        break;
      case 'i':
        result += '0';
        break;
      case 'I':
        break;
      case '%':
        result += '%';
        break;
      default:
        return invalid(
            letter == '\0'
                ? std::string{"ends with '%'; write '%%' for a '%'"}
                : std::string{"has '%"} + letter
                      + "'; allowed are %h (host name), %n (host name "
                        "without domain), %d (domain) and %%");
    }
  }
  if (std::ranges::any_of(result, [](unsigned char c) {
        return std::isspace(c) || std::iscntrl(c);
      }))
    return invalid("holds white space");
  return node_name{result};
}

std::string host_name() {
  char buffer[256] = {};
  if (gethostname(buffer, sizeof(buffer) - 1) != 0)
    return "localhost";
  return buffer;
}

} // namespace umbel
