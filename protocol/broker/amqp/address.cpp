#include "protocol/broker/amqp/address.hpp"

#include "protocol/broker/url.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include <unistd.h>

namespace umbel::amqp {

namespace {

expected<address> to_address(std::string_view text) {
  auto parsed = parse_url(text);
  if (!parsed)
    return parsed.error();
  if (!is_amqp(parsed->scheme))
    return error{errc::invalid_setting,
                 "broker URL: all alternatives must begin with amqp:// or "
                 "amqps://, not with "
                     + parsed->scheme + "://"};
  address result;
  result.tls = parsed->scheme == "amqps";
  if (!parsed->host.empty())
    result.host = parsed->host;
  result.port = parsed->port != 0 ? parsed->port : result.tls ? 5'671 : 5'672;
  if (!parsed->user.empty()) {
    result.user = parsed->user;
    if (!parsed->password.empty())
      result.password = parsed->password;
  }
  if (parsed->path.size() > 1)
    result.vhost = parsed->path.substr(1);
  if (auto text_of = parsed->option("heartbeat"); !text_of.empty()) {
    int value = 0;
    auto end = text_of.data() + text_of.size();
    auto [ptr, ec] = std::from_chars(text_of.data(), end, value);
    if (ec != std::errc{} || ptr != end || value < 0 || value > 65'535)
      return error{errc::invalid_setting,
                   "broker URL: heartbeat is not a number of seconds from 0 to "
                   "65535"};
    result.heartbeat = value;
  }
  return result;
}

} // namespace

std::string address::str() const {
  url x;
  x.scheme = tls ? "amqps" : "amqp";
  x.user = user;
  x.password = password;
  x.host = host;
  x.port = port;
  x.path = '/' + vhost;
  return to_string(x);
}

bool is_amqp(std::string_view scheme) {
  return scheme == "amqp" || scheme == "amqps" || scheme == "pyamqp"
         || scheme == "librabbitmq";
}

expected<std::vector<address>> to_addresses(std::string_view urls) {
  std::vector<address> result;
  while (!urls.empty()) {
    auto end = urls.find(';');
    auto one = urls.substr(0, end);
    urls.remove_prefix(end == std::string_view::npos ? urls.size() : end + 1);
    if (one.empty())
      continue;
    auto parsed = to_address(one);
    if (!parsed)
      return parsed.error();
    result.push_back(std::move(*parsed));
  }
  if (result.empty())
    return error{errc::invalid_setting, "the broker URL is empty"};
  return result;
}

expected<void> check_options(const broker_options& options) {
  auto& method = options.login_method;
  if (!method.empty() && method != "PLAIN" && method != "AMQPLAIN"
      && method != "EXTERNAL")
    return error{errc::invalid_setting,
                 "broker_login_method \"" + method
                   + "\" is none of PLAIN, AMQPLAIN, EXTERNAL"};
  auto& tls = options.tls;
  using item = std::pair<const char*, const std::string*>;
  for (auto& [name, file] : {item{"ca_certs", &tls.ca_certs},
                             item{"certfile", &tls.certfile},
                             item{"keyfile", &tls.keyfile}}) {
    if (file->empty() || ::access(file->c_str(), R_OK) == 0)
      continue;
    return error{errc::invalid_setting,
                 std::string{"broker_use_ssl: "} + name + " \"" + *file
                   + "\": " + std::strerror(errno)};
  }
  if (tls.certfile.empty() != tls.keyfile.empty())
    return error{errc::invalid_setting,
                 "broker_use_ssl: certfile and keyfile belong together"};
  return {};
}

} // namespace umbel::amqp
