#include "protocol/client/node_format.hpp"

#include <algorithm>
#include <cctype>

#include <unistd.h>

namespace umbel {

namespace {

std::string domain_of(const std::string& host) {
  auto dot = host.find('.');
  return dot == host.npos ? "" : host.substr(dot + 1);
}

} // namespace

expected<std::string> expand_percent(const std::string& text,
                                     const percent_letters& letters,
                                     const std::string& what,
                                     const std::string& allowed) {
  auto invalid = [&](const std::string& why) {
    return error{errc::invalid_setting, what + " '" + text + "' " + why};
  };
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    if (++i == text.size())
      return invalid("ends with '%'; write '%%' for a '%'");
    if (text[i] == '%')
      result += '%';
    else if (auto found = letters.find(text[i]); found != letters.end())
      result += found->second;
    else
      return invalid(std::string{"has '%"} + text[i] + "'; allowed are "
                     + allowed + " and %%");
  }
  return result;
}

expected<node_name> expand_node_name(const std::string& text,
                                     const std::string& host) {
  auto at = text.find('@');
  auto name = at == text.npos ? std::string{} : text.substr(0, at);
  auto place = at == text.npos ? text : text.substr(at + 1);
  auto pattern =
      (name.empty() ? "celery" : name) + '@' + (place.empty() ? host : place);
  percent_letters letters{
      {'h', host},
      {'n', host.substr(0, host.find('.'))},
      {'d', domain_of(host)},
      {'i', "0"},
      {'I', ""},
  };
  auto result = expand_percent(
      pattern, letters, "node name",
      "%h (host name), %n (host name without domain), %d (domain)");
  if (!result)
    return result.error();
  if (std::ranges::any_of(*result, [](unsigned char c) {
        return std::isspace(c) || std::iscntrl(c);
      }))
    return error{errc::invalid_setting,
                 "node name '" + text + "' holds white space"};
  return node_name{*result};
}

expected<std::string> expand_node_path(const std::string& text,
                                       const node_name& node,
                                       const std::string& what) {
  auto& full = node.str();
  auto at = full.find('@');
  auto host = full.substr(at + 1);
  percent_letters letters{
      {'n', full.substr(0, at)}, {'h', host}, {'d', domain_of(host)},
      {'p', full},               {'i', "0"},  {'I', ""},
  };
  return expand_percent(text, letters, what,
                        "%n (node's name), %h (its host), %d (domain), %p "
                        "(name@host), %i, %I");
}

std::string host_name() {
  char buffer[256] = {};
  if (gethostname(buffer, sizeof(buffer) - 1) != 0)
    return "localhost";
  return buffer;
}

} // namespace umbel
